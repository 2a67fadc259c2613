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

  /// Has the peer send while reading is paused: all at once, for a reader that is told of it once.
  private func withPausedPeer(
    _ send: (RawSocket) async throws -> Void, _ check: (Recorder) async throws -> Void
  ) async throws {
    try await withPath { path in
      try await withNode(Recorder(), { $0.listen = [.unix(path)] }) { node in
        let raw = try RawSocket(to: .unix(path))
        try await eventually("it is there") { await node.connected == 1 }
        await node.look { $0.connections[0].pauseReading() }
        try await send(raw)
        for _ in 0..<20 { _ = await node.connected }
        await node.look { $0.connections[0].resumeReading() }
        try await check(node.logic)
        raw.close()
      }
    }
  }

  @Test func `What comes behind a passed descriptor is read, too, and nobody keeps the descriptor`() async throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reader, writer) = (ends[0], ends[1])
    defer { close(reader) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    try await withPausedPeer { raw in
      try await raw.sendAll(frame([1]))
      let error = raw.send(frame([2]), passing: writer)
      close(writer)
      try #require(error == 0)
      // The kernel ends a read in front of this.
      try await raw.sendAll(frame([3]))
    } _: { recorder in
      try await eventually("all are there") { recorder.messages == [[1], [2], [3]] }
      try await eventually("nobody has the pipe's other end any more") {
        var byte: UInt8 = 0
        return read(reader, &byte, 1) == 0
      }
    }
  }

  @Test func `What comes behind an urgent byte is read, too`() async throws {
    try await withPausedPeer { raw in
      try await raw.sendAll(frame([1]))
      raw.sendUrgent(9)
      try await raw.sendAll(frame([2]))
    } _: { recorder in
      try await eventually("both are there") { recorder.messages == [[1], [2]] }
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
