import NodeCore
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct HandshakeTests {
  @Test func `Both sides shake hands before the connection is there`() async throws {
    try await withNode(Shaker(.exchange(1))) { a in
      try await withNode(Shaker(.exchange(2))) { b in
        let info = try await a.dial(b)
        #expect(info.peer == "2")
        try await eventually("the other side has it too") { await b.node.connections().first?.peer == "1" }
      }
    }
  }

  @Test(arguments: [true, false])
  func `Either side may refuse: nobody is connected, and no message gets through`(dialler: Bool) async throws {
    try await withNode(Shaker(dialler ? .refuse : .exchange(1))) { a in
      try await withNode(Shaker(dialler ? .exchange(1) : .refuse)) { b in
        let error = await failure { () throws(NodeError) in try await a.dial(b) }
        #expect(error?.code == .handshake || error?.code == .closed)
        if dialler { #expect(error?.message.contains("not with you") == true) }
        try await eventually("both are free") { await (a.connected, a.connecting, b.connected, b.connecting) == (0, 0, 0, 0) }
        try await eventually("both counted it") {
          await (a.node.heuristics().handshakeFailures, b.node.heuristics().handshakeFailures) == (1, 1)
        }
        #expect(a.logic.events.isEmpty && b.logic.events.isEmpty)
      }
    }
  }

  @Test func `Messages that came with a handshake that fails are not handed out`() async throws {
    try await withNode(Shaker(.refuse)) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([1]) + frame([2]))
      _ = try await raw.receiveRest()
      try await eventually("its place is free") { await node.connecting == 0 }
      #expect(node.logic.events.isEmpty)
    }
  }

  @Test func `Messages that come early wait for the handshake, in order`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door))) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([1]) + frame([2]) + frame([3]))
      try await eventually("it is setting up") { await node.connecting == 1 }
      #expect(node.logic.messages.isEmpty)
      door.open()
      try await eventually("they are there") { node.logic.messages == [[1], [2], [3]] }
      raw.close()
    }
  }

  @Test func `One that takes too long is ended, with or without its consent`() async throws {
    let door = Door()
    for way in [Shaker.Way.read, .wait(door)] {
      try await withNode(Shaker(way), { $0.handshakeTimeout = .milliseconds(50) }) { node in
        let raw = try RawSocket(to: await node.address)
        raw.send([1])
        _ = try await raw.receiveRest()
        try await eventually("its place is free") { await node.connecting == 0 }
        #expect(await node.node.heuristics().handshakeTimeouts == 1)
        #expect(node.logic.events.isEmpty)
        let next = try RawSocket(to: await node.address)
        try await eventually("the next one is looked at") { await node.node.heuristics().handshakeTimeouts == 2 }
        next.close()
      }
    }
    door.open()
  }

  @Test func `A dial whose handshake takes too long fails with timeout`() async throws {
    try await withNode(Quiet()) { silent in
      try await withNode(Shaker(.read), { $0.handshakeTimeout = .milliseconds(50) }) { node in
        #expect(await failure { () throws(NodeError) in try await node.dial(silent) }?.code == .timeout)
        #expect(await node.node.counts == (0, 0))
        #expect(await node.node.heuristics().handshakeTimeouts == 1)
        try await eventually("the other side lets go") { await silent.connected == 0 }
      }
    }
  }

  @Test func `A handshake that comes through too late does not connect`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door)), { $0.handshakeTimeout = .milliseconds(50) }) { node in
      let raw = try RawSocket(to: await node.address)
      _ = try await raw.receiveRest()
      door.open()
      // A second connection, through the open door, is the first there is.
      let next = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      #expect(await node.node.connections()[0].id > ConnectionID(rawValue: 1))
      #expect(await node.inconsistency() == nil)
      next.close()
    }
  }

  @Test func `A peer that leaves during the handshake frees the place`() async throws {
    try await withNode(Shaker(.read), { $0.handshakeTimeout = .seconds(60) }) { node in
      for way in 0..<2 {
        let raw = try RawSocket(to: await node.address)
        try await eventually("it is setting up") { await node.connecting == 1 }
        way == 0 ? raw.close() : raw.reset()
        try await eventually("its place is free") { await node.connecting == 0 }
      }
      #expect(await node.node.heuristics().handshakeFailures == 2)
      #expect(node.logic.events.isEmpty)
    }
  }

  @Test func `What a handshake says before it refuses arrives`() async throws {
    try await withNode(Shaker(.explain(Array("go away".utf8)))) { node in
      let raw = try RawSocket(to: await node.address)
      let (bytes, ending) = try await raw.receiveRest()
      #expect(bytes == Array("go away".utf8) && ending == .end)
    }
  }

  @Test func `A failing framing rejects like a failing handshake`() async throws {
    final class Unframed: Recorder, @unchecked Sendable {
      override func framing(for connection: Connection) throws -> Framing { throw Shaker.Refusal() }
    }
    for logic in [Unframed(), Recorder(.fixed(0)), Recorder(.lines(delimiter: [])), Recorder(Framing(.bytes, max: 0))] {
      try await withNode(logic) { node in
        let raw = try RawSocket(to: await node.address)
        _ = try await raw.receiveRest()
        #expect(await node.node.counts == (0, 0))
        #expect(logic.events.isEmpty)
      }
    }
  }
}
