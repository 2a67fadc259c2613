import Foundation
import Testing

/// A program that is not ours, found in PATH.
///
/// One that is missing fails the test that needs it: a test that skips itself tests nothing.
struct Tool {
  let path: String

  struct Missing: Error, CustomStringConvertible {
    var description: String
  }

  /// What a run came to. `status` 9: it took too long and was ended.
  struct Output {
    var status: Int32
    var text: String
    var errors: String
  }

  init(path: String) { self.path = path }

  init(_ name: String, package: String) throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
    let found = folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let found else {
      throw Missing(description: "\(name) is not installed: apt-get install \(package) (make test does it)")
    }
    path = found
  }

  static func python() throws -> Tool { try Tool("python3", package: "python3") }
  static func netcat() throws -> Tool { try Tool("nc", package: "netcat-openbsd") }
  static func redisClient() throws -> Tool { try Tool("redis-cli", package: "redis-tools") }
  static func redisBenchmark() throws -> Tool { try Tool("redis-benchmark", package: "redis-tools") }
  static func swift() throws -> Tool { try Tool("swift", package: "nothing, but get Swift from swift.org") }

  /// Runs to the end, `input` as its standard input, no longer than `seconds`.
  func run(_ arguments: [String], input: Data = Data(), seconds: Int = 60) async throws -> Output {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try input.write(to: folder.url.appending(path: "in"))
    let process = try makeProcess(arguments, seconds: seconds, output: folder)
    process.standardInput = try FileHandle(forReadingFrom: folder.url.appending(path: "in"))
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      process.terminationHandler = { _ in done.resume() }
      do { try process.run() } catch {
        Issue.record("cannot run \(path): \(error)")
        done.resume()
      }
    }
    return Output(status: process.terminationStatus, text: folder.text("out"), errors: folder.text("err"))
  }

  /// Runs it and fails the test where it fails.
  func expect(_ arguments: [String], input: Data = Data(), seconds: Int = 60) async throws -> String {
    let output = try await run(arguments, input: input, seconds: seconds)
    #expect(output.status == 0, "\(path) \(arguments.joined(separator: " "))\n\(output.text)\(output.errors)")
    return output.text
  }

  /// Not started yet. What it writes goes to files: no pipe that fills up, no thread that reads.
  func makeProcess(_ arguments: [String], seconds: Int, output: TemporaryFolder) throws -> Process {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/timeout")
    // Not TERM: what is started from one of the tests' threads starts with that signal blocked.
    process.arguments = ["--signal=KILL", "\(seconds)", path] + arguments
    process.standardOutput = try output.file("out")
    process.standardError = try output.file("err")
    return process
  }
}

/// A folder of its own for one run.
struct TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "moonpeer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  func file(_ name: String) throws -> FileHandle {
    let file = url.appending(path: name)
    try Data().write(to: file)
    return try FileHandle(forWritingTo: file)
  }

  func text(_ name: String) -> String {
    String(decoding: (try? Data(contentsOf: url.appending(path: name))) ?? Data(), as: UTF8.self)
  }

  func remove() { try? FileManager.default.removeItem(at: url) }
}
