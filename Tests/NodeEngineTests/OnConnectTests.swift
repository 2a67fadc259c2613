import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct OnConnectTests {
  private final class Greeter: Recorder, @unchecked Sendable {
    override nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
      try await super.onConnect(connection)
      try await connection.send([UInt8](connection.side.rawValue.utf8))
    }
  }

  /// Waits until its door opens or its task is cancelled, and notes that it ended.
  private final class Waiter: Recorder, @unchecked Sendable {
    let door = Door()
    let ended = Mutex(0)

    override nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
      try await super.onConnect(connection)
      await withTaskCancellationHandler {
        await door.pass()
      } onCancel: {
        door.open()
      }
      ended.withLock { $0 += 1 }
    }
  }

  @Test func `It can send, on both sides`() async throws {
    let a = Greeter()
    let b = Greeter()
    try await withNode(a) { one in
      try await withNode(b) { two in
        try await one.dial(two)
        try await eventually("each is greeted") {
          a.messages == [Array("responder".utf8)] && b.messages == [Array("initiator".utf8)]
        }
      }
    }
  }

  @Test func `It does not delay connect, nor the messages`() async throws {
    let waiter = Waiter()
    try await withNode(Echo()) { server in
      try await withNode(waiter) { node in
        let info = try await node.dial(server)
        try await node.node.send([1], to: info.id)
        try await eventually("the answer is there") { waiter.messages == [[1]] }
        #expect(waiter.ended.withLock { $0 } == 0)
      }
    }
  }

  @Test func `It ends with the connection`() async throws {
    let waiter = Waiter()
    try await withNode(waiter) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it runs") { waiter.connects.count == 1 }
      #expect(waiter.ended.withLock { $0 } == 0)
      raw.close()
      try await eventually("it has ended") { waiter.ended.withLock { $0 } == 1 }
      #expect(waiter.reasons == [.eof])
    }
  }

  @Test func `An error in it ends the connection, with its words`() async throws {
    final class Failing: Recorder, @unchecked Sendable {
      let message = Mutex<String?>(nil)
      override nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
        try await super.onConnect(connection)
        throw Shaker.Refusal()
      }
      override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
        message.withLock { $0 = reason.message }
        await super.onDisconnect(connection, reason)
      }
    }
    let failing = Failing()
    try await withNode(failing) { node in
      let raw = try RawSocket(to: await node.address)
      #expect(try await raw.receiveRest().ending == .end)
      try await failing.sawReason(.script)
      #expect(failing.message.withLock { $0 } == "not with you")
      #expect(await node.connected == 0)
    }
  }

  @Test func `It comes before on_disconnect, however short the connection`() async throws {
    let logic = Recorder()
    try await withNode(logic) { node in
      for _ in 0..<100 { try RawSocket(to: await node.address).reset() }
      // One may have gone before it was accepted; whatever was connected has its pair, in this order.
      try await eventually("all are over") { await node.node.counts == (0, 0) }
      let raw = try RawSocket(to: await node.address)
      try await eventually("the last one is there") { await node.connected == 1 }
      raw.close()
      try await eventually("all are gone") { await node.connected == 0 }
      try await eventually("each has its pair") { logic.connects.count == logic.disconnects.count }
      var open: Set<ConnectionID> = []
      for event in logic.events {
        switch event {
        case .connected(let id): #expect(open.insert(id).inserted)
        case .disconnected(let id, _): #expect(open.remove(id) != nil, "\(id) ended before it began")
        case .message: break
        }
      }
    }
  }
}
