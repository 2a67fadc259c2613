import FuzzSupport
import NodeCore
import NodeEngine

@testable import NodeAdmin

/// What comes in over the console's socket, and what a capture is told.
enum AdminTargets {
  static let requests = [
    #"{"id":1,"line":"list"}"#, #"{"id":2,"line":"stats one","node":"one","program":true,"budget":1.5}"#,
    #"{"id":3,"complete":"no"}"#, #"{"id":4,"cancel":3}"#, #"{"id":-9223372036854775808,"line":"\ud83d\ude00 \u0000"}"#,
    #"{"id":1e400,"line":[{"a":[[[[]]]]}],"node":null}"#, #"{"id":5,"line":"= 1 + 1","budget":0}"#,
  ].map { Array($0.utf8) }

  /// A line is a request or a problem.
  static var line: FuzzTarget {
    FuzzTarget("console line", count: 3000, seeds: requests) { input in
      do throws(ConsoleProblem) {
        _ = try ConsoleRequest(input)
        return nil
      } catch {
        return error.message.isEmpty ? "refused without a word" : nil
      }
    }
  }
}
