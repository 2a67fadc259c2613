import Glibc
import NodeCore
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct UnixSocketTests {
  /// A path in a folder of its own.
  private func withPath<T>(_ body: (String) async throws -> T) async throws -> T {
    var template = Array("/tmp/moonpeer-XXXXXX".utf8CString)
    let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer {
      unlink("\(folder)/s")
      rmdir(folder)
    }
    return try await body("\(folder)/s")
  }

  @Test func `Messages go both ways, and the file goes with the node`() async throws {
    try await withPath { path in
      try await withNode(Echo(), { $0.listen = [.unix(path)] }) { server in
        #expect(await server.address == .unix(path))
        #expect(access(path, F_OK) == 0)
        let client = Recorder()
        try await withNode(client, { $0.listen = [] }) { node in
          let info = try await node.dial(server)
          #expect(info.address == .unix(path))
          try await node.node.send([7], to: info.id)
          try await eventually("the answer is there") { client.messages == [[7]] }
          // Peers of one socket are told apart.
          let raw = try RawSocket(to: .unix(path))
          try await eventually("both are there") { await server.connected == 2 }
          raw.close()
        }
      }
      #expect(access(path, F_OK) != 0)
    }
  }

  @Test func `A file that nobody listens on any more is replaced`() async throws {
    try await withPath { path in
      do {
        let dead = try RawListener(on: .unix(path))
        dead.stop()
      }
      #expect(access(path, F_OK) == 0, "a crashed process leaves its file")
      try await withNode(Echo(), { $0.listen = [.unix(path)] }) { _ in
        let raw = try RawSocket(to: .unix(path))
        raw.send(frame([1]))
        #expect(try await raw.receive(5) == frame([1]))
      }
    }
  }

  @Test func `A socket that is alive, even with a full queue, is in use`() async throws {
    try await withPath { path in
      let alive = try RawListener(on: .unix(path), backlog: 0)
      let waiting = (0..<3).map { _ in RawSocket(dialling: .unix(path)) }
      let node = try TestNode(Quiet()) { $0.listen = [.unix(path)] }
      #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .addressInUse)
      #expect(access(path, F_OK) == 0)
      waiting.forEach { $0.close() }
      alive.stop()
    }
  }

  @Test func `A file that is no socket is left alone`() async throws {
    try await withPath { path in
      close(open(path, O_CREAT | O_WRONLY, 0o600))
      let node = try TestNode(Quiet()) { $0.listen = [.unix(path)] }
      let error = await failure { () throws(NodeError) in try await node.node.start() }
      #expect(error?.code == .addressInUse)
      #expect(error?.message.contains("is no socket") == true)
      #expect(access(path, F_OK) == 0)
    }
  }

  @Test func `A file that has become another listener's is left alone`() async throws {
    try await withPath { path in
      try await withNode(Quiet(), { $0.listen = [.unix(path)] }) { node in
        unlink(path)
        let other = try RawListener(on: .unix(path))
        await node.node.stopListening()
        _ = try RawSocket(to: .unix(path))
        other.stop()
      }
      #expect(access(path, F_OK) == 0)
    }
  }

  @Test func `A path that is too long is refused in words`() async throws {
    let path = PeerAddress.unix("/tmp/" + String(repeating: "x", count: 200))
    let node = try TestNode(Quiet()) { $0.listen = [path] }
    #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .address)
    try await withNode(Quiet()) { node in
      #expect(await failure { () throws(NodeError) in _ = try await node.node.connect(to: path) }?.code == .address)
      let nowhere = PeerAddress.unix("/tmp/moonpeer-nobody-is-here")
      #expect(await failure { () throws(NodeError) in _ = try await node.node.connect(to: nowhere) }?.code == .refused)
      #expect(await node.node.counts == (0, 0))
    }
  }

  @Test func `The limit per IP does not concern Unix peers`() async throws {
    try await withPath { path in
      try await withNode(Recorder(), { ($0.listen, $0.maxConnectionsPerIP) = ([.unix(path)], 1) }) { node in
        let sockets = try (0..<5).map { _ in try RawSocket(to: .unix(path)) }
        try await eventually("all are there") { await node.connected == 5 }
        sockets.forEach { $0.close() }
      }
    }
  }
}
