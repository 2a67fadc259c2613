import ArgumentParser
import Foundation
import Synchronization

/// Runs this program, or another, to its end.
enum Subprocess {
  static func worker(_ name: String, _ parameters: Parameters) throws -> RunResult {
    let given = String(decoding: try JSONEncoder().encode(parameters), as: UTF8.self)
    let text = try output("/proc/self/exe", ["worker", name, given])
    return try JSONDecoder().decode(RunResult.self, from: Data(text.utf8))
  }

  static func output(_ program: String, _ words: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program).resolvingSymlinksInPath()
    process.arguments = words
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw BenchError("\(program) \(words.joined(separator: " ")) ended with status \(process.terminationStatus)")
    }
    return String(decoding: data, as: UTF8.self)
  }
}

/// One run of one case, in a process of its own.
struct Worker: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "One run; used by run.", shouldDisplay: false)
  @Argument var name: String
  @Argument var parameters: String

  func run() throws {
    guard let subject = Case.named(name) else { throw ValidationError("there is no case \(name)") }
    _ = Machine.raiseDescriptorLimit()
    let given = try JSONDecoder().decode(Parameters.self, from: Data(parameters.utf8))
    let measurement = try Self.blocking { try await subject.body(given) }
    let result = RunResult(measurement: measurement, cpuSeconds: Machine.cpuSeconds, peakMemory: Machine.peakMemory)
    print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
  }

  /// An async `main` gives its thread to libdispatch, which valgrind cannot follow; so this one waits.
  private static func blocking<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
    let result = Mutex<Result<T, any Error>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    Task {
      let made: Result<T, any Error>
      do { made = .success(try await body()) } catch { made = .failure(error) }
      result.withLock { $0 = made }
      isDone.signal()
    }
    isDone.wait()
    return try result.withLock { $0! }.get()
  }
}
