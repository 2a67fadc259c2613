import Foundation
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import TestNetwork

/// Uses Moonpeer as a library, and ends with status 1 where it does not do what is expected.
///
/// usage: Embedding FOLDER, where scenario.lua lies
@main struct Embedding {
  static func main() async {
    do { try await run(CommandLine.arguments[1]) } catch {
      print("embedding failed: \(error)")
      exit(1)
    }
    print("embedding works")
  }

  static func run(_ folder: String) async throws {
    let log = MemoryLog()
    try await withCounter(log.logger()) { counter in
      guard let address = await counter.node.address else { throw Failure("the counter does not listen") }
      let asker = try await ask(address, log.logger())
      try expect(asker.answers == ["41: one", "42: two", "43: "], "what the Swift node heard: \(asker.answers)")
      try expect(asker.reason?.kind == .sessionEnded, "how the conversation ended: \(String(describing: asker.reason))")
      try expect(try await counter.call("last") == [43], "a call into the script")
      try expect(try await counter.evaluate("node.state.last + ...", [7]) == [50], "code run inside the node")
    }
    try expect(log.lines.contains("counter: counted two"), "the script's log: \(log.lines)")

    do {
      _ = try await ScriptedNode.load(
        ScriptSource(name: "wrong.lua", text: "return { process_mesage = function() end }"), environment: .sockets())
      throw Failure("a script with an unknown key was loaded")
    } catch let error as ScriptError {
      try expect("\(error)".contains("process_message"), "an error names the nearest key: \(error)")
    }

    let results = try await ScenarioRunner().run(folder + "/scenario.lua")
    try expect(results.count == 1 && results.allSatisfy(\.hasPassed), "the scenario: \(results)")
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ message: String) { description = message }
  }

  static func expect(_ condition: Bool, _ message: String) throws {
    if !condition { throw Failure(message) }
  }
}
