import Foundation
import Glibc
import Logging
import NodeEngine
import NodeScripting
import NodeSupport
import Synchronization
import Testing

@testable import NodeAdmin

/// Nodes with a console in a folder of its own.
struct TestConsole {
  let folder: String
  let nodes: [ScriptedNode]
  let server: ConsoleServer
  let levels: Levels

  final class Levels: Sendable {
    let set = Mutex<[String]>([])
  }

  /// - Parameter scripts: by the nodes' names.
  static func with(
    _ scripts: [(name: String, text: String)], _ body: (TestConsole) async throws -> Void
  ) async throws {
    try await withLoops { loops in try await with(scripts, on: loops, body) }
  }

  private static func with(
    _ scripts: [(name: String, text: String)], on loops: EpollLoops, _ body: (TestConsole) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mp-\(UUID().uuidString.prefix(8))").path
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let directory = NodeDirectory()
    var nodes: [ScriptedNode] = []
    for script in scripts {
      var options = ScriptOptions()
      options.name = script.name
      nodes.append(
        try await ScriptedNode.load(
          ScriptSource(name: "\(script.name).lua", text: script.text), options: options,
          environment: .sockets(on: loops, logger: quiet), directory: directory))
    }
    let levels = Levels()
    let all = nodes
    do {
      for node in nodes { try await node.start() }
      let host = ConsoleHost(version: "test", nodes: { all }) { node, level in
        levels.set.withLock { $0.append("\(node ?? "all") \(level)") }
      }
      // Clients are of this process here, which a console turns away.
      let server = try await ConsoleServer.start(host, in: ConsoleFolder(path: folder), admitting: \.areOwners)
      do {
        try await body(TestConsole(folder: folder, nodes: nodes, server: server, levels: levels))
      } catch {
        await server.close()
        throw error
      }
      await server.close()
    } catch {
      for node in nodes { await node.shutDown() }
      throw error
    }
    for node in nodes { await node.shutDown() }
  }

  func client() async throws -> TestClient { try await TestClient(server.path) }

  /// One question of a client of its own.
  func ask(_ fields: JSONValue) async throws -> JSONValue { try await client().ask(fields) }
  func ask(_ line: String, node: String? = nil) async throws -> JSONValue {
    try await ask(["line": .string(line), "node": node.map { .string($0) } ?? .null])
  }
}

struct TestProblem: Error, CustomStringConvertible { var description: String }

/// A client that waits without holding a thread, and not for ever.
final class TestClient {
  let descriptor: Int32
  private var received: [UInt8] = []
  private(set) var greeting = JSONValue.null
  private var last: Int64 = 0

  init(_ path: String) async throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    let outcome = withUnsafePointer(to: name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard outcome == 0 else { throw TestProblem(description: "connect: \(String(cString: strerror(errno)))") }
    greeting = try await next() ?? .null
  }

  deinit { close(descriptor) }

  /// false: the other side is gone.
  @discardableResult
  func write(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// The next line; nil: the console has closed.
  func next() async throws -> JSONValue? {
    let end = ContinuousClock.now + .seconds(120)
    while true {
      if let last = received.firstIndex(of: 10) {
        defer { received.removeFirst(last + 1) }
        guard let value = JSONValue(line: received[..<last]) else { throw TestProblem(description: "no JSON") }
        return value
      }
      var buffer = [UInt8](repeating: 0, count: 65536)
      // The console's own tasks need the threads that tests run on.
      let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0, errno == EAGAIN {
        guard ContinuousClock.now < end else { throw TestProblem(description: "waited too long for a line") }
        await Task.yield()
        continue
      }
      if count == 0 || (count < 0 && errno == ECONNRESET) { return nil }
      guard count > 0 else { throw TestProblem(description: "recv: \(String(cString: strerror(errno)))") }
      received += buffer[..<count]
    }
  }

  func send(_ fields: JSONValue) -> Int64 {
    guard case .object(var all) = fields else { return 0 }
    last += 1
    all["id"] = .integer(last)
    write(JSONValue.object(all).line + "\n")
    return last
  }

  /// The answer to a question, past events and other answers.
  func ask(_ fields: JSONValue) async throws -> JSONValue { try await answer(to: send(fields)) }

  func answer(to id: Int64) async throws -> JSONValue {
    while let line = try await next() {
      if line["id"]?.int == id, line["ok"] != nil { return line }
    }
    throw TestProblem(description: "closed without an answer")
  }
}

let echoScript = """
  local codec = require "moonpeer.codec"
  return {
    codec = codec.lines(),
    process_message = function(_, conn, message) conn:send("echo " .. message) end,
    calls = {
      connect = function(node, address) return assert(node:connect(address)).id end,
      say = function(node, text) return node:broadcast(text) end,
    },
  }
  """

extension TestClient {
  /// Whether something has arrived.
  var hasInput: Bool {
    var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&end, 1, 0) > 0
  }
}
