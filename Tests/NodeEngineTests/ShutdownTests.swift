import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct ShutdownTests {
  /// Calls `shutDown` from its hooks and waits for it there, which a hook must not do.
  final class Suicidal: Recorder, Handshaking, OnShuttingDown, @unchecked Sendable {
    enum Place: Sendable, CaseIterable { case handshake, onConnect, message, onDisconnect, onShutdown }
    let place: Place
    let node = Mutex<Node?>(nil)
    let shutdowns = Mutex(0)

    init(_ place: Place) {
      self.place = place
      super.init()
    }

    private nonisolated(nonsending) func act(_ here: Place) async {
      guard here == place, let node = node.withLock({ $0 }) else { return }
      await node.shutDown()
    }

    nonisolated(nonsending) func handshake(_ connection: Connection) async throws -> String? {
      await act(.handshake)
      return nil
    }
    override nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
      try await super.onConnect(connection)
      await act(.onConnect)
    }
    override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
      try super.process(message, from: connection)
      if place == .message { connection.node.shutDown {} }
    }
    override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
      await super.onDisconnect(connection, reason)
      await act(.onDisconnect)
    }
    nonisolated(nonsending) func onShutdown() async {
      shutdowns.withLock { $0 += 1 }
      await act(.onShutdown)
    }
  }

  @Test func `It closes the listener and clears what there was; a second one is harmless`() async throws {
    let logic = Recorder()
    try await withNode(logic) { node in
      try await withNode(Recorder()) { other in
        try await node.dial(other)
        let raw = try RawSocket(to: await node.address)
        try await eventually("both are there") { await node.connected == 2 }
        let address = await node.address
        await node.node.shutDown()
        #expect(await node.node.counts == (0, 0))
        #expect(await node.node.connections().isEmpty)
        #expect(await node.node.address == nil)
        #expect(logic.reasons == [.shutdown, .shutdown])
        try await eventuallyNobodyListens(at: address)
        #expect(try await raw.receiveRest().ending == .end)
        await node.node.shutDown()
        #expect(logic.reasons.count == 2)
        // The port is free at once.
        try await withNode(Recorder(), { $0.listen = [address] }) { #expect(await $0.address == address) }
      }
    }
  }

  @Test func `Later work is refused`() async throws {
    try await withNode(Recorder()) { node in
      let listener = try RawListener()
      await node.node.shutDown()
      #expect(await failure { () throws(NodeError) in _ = try await node.node.connect(to: listener.address) }?.code == .shutdown)
      #expect(
        await failure { () throws(NodeError) in _ = try await node.node.listen(on: .ip(.loopback, port: 0)) }?.code == .shutdown)
      #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .shutdown)
      #expect(
        await failure { () throws(NodeError) in try await node.node.send([1], to: ConnectionID(rawValue: 1)) }?.code == .closed)
      #expect(await node.node.disconnect(ConnectionID(rawValue: 1)) == false)
    }
  }

  @Test func `Several at once all wait for the end`() async throws {
    let logic = Recorder()
    try await withNode(logic) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<10 {
          group.addTask {
            await node.node.shutDown()
            #expect(logic.reasons == [.shutdown])
          }
        }
      }
      raw.close()
    }
  }

  @Test func `A node that never started shuts down, and cannot start afterwards`() async throws {
    let node = try TestNode(Recorder())
    await node.node.shutDown()
    #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .shutdown)
  }

  @Test func `Dials and handshakes under way end with shutdown, and nothing becomes registered`() async throws {
    let logic = Shaker(.read)
    let stuck = try RawListener(backlog: 0)
    let fillers = (0..<4).map { _ in RawSocket(dialling: stuck.address) }
    try await withNode(Quiet()) { silent in
      try await withNode(logic, { ($0.connectionTimeout, $0.handshakeTimeout) = (.seconds(60), .seconds(60)) }) { node in
        let shaking = await silent.address
        let dials = [stuck.address, shaking].map { address in
          Task { await failure { () throws(NodeError) in _ = try await node.node.connect(to: address) }?.code }
        }
        let raw = try RawSocket(to: await node.address)
        try await eventually("all three are under way") { await node.connecting == 3 }
        await node.node.shutDown()
        for dial in dials { #expect(await dial.value == .shutdown) }
        #expect(await node.node.counts == (0, 0))
        _ = try await raw.receiveRest()
        #expect(logic.events.isEmpty)
      }
    }
    fillers.forEach { $0.close() }
  }

  @Test func `It waits for a disconnect that was claimed elsewhere`() async throws {
    final class Slow: Recorder, @unchecked Sendable {
      let door = Door()
      override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
        await door.pass()
        await super.onDisconnect(connection, reason)
      }
    }
    let slow = Slow()
    try await withNode(slow, { $0.onDisconnectTimeout = .seconds(60) }) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      raw.close()
      try await eventually("its end is claimed") { await node.node.connections().isEmpty }
      let shutdown = Task { await node.node.shutDown() }
      try await eventually("no new work") {
        await failure { () throws(NodeError) in _ = try await node.node.connect(to: .ip(.loopback, port: 1)) }?.code == .shutdown
      }
      #expect(await node.connected == 1)
      slow.door.open()
      await shutdown.value
      #expect(slow.reasons == [.eof])
    }
  }

  @Test(arguments: Suicidal.Place.allCases)
  func `From a hook it does not hang`(place: Suicidal.Place) async throws {
    let logic = Suicidal(place)
    try await withNode(logic, { ($0.onDisconnectTimeout, $0.onShutdownTimeout) = (.milliseconds(50), .milliseconds(50)) }) {
      node in
      logic.node.withLock { $0 = node.node }
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([1]))
      if place == .onDisconnect { raw.endWriting() }
      if place == .onShutdown { await node.node.shutDown() }
      try await eventually("it is down") { await node.node.address == nil }
      await node.node.shutDown()
      #expect(logic.shutdowns.withLock { $0 } == 1)
      #expect(logic.connects.count == logic.disconnects.count)
      logic.node.withLock { $0 = nil }
      raw.close()
    }
  }

  @Test func `on_shutdown runs while the connections still stand, and is timed`() async throws {
    final class Last: Recorder, OnShuttingDown, @unchecked Sendable {
      let node = Mutex<Node?>(nil)
      let seen = Mutex<[Int]>([])
      let door = Door()
      nonisolated(nonsending) func onShutdown() async {
        // A node that could not start shuts down as well.
        guard let node = node.withLock({ $0 }) else { return }
        let count = await node.broadcast(Array("bye".utf8))
        seen.withLock { $0.append(count) }
        await door.pass()
      }
    }
    let last = Last(.bytes)
    try await withNode(last, { $0.onShutdownTimeout = .milliseconds(50) }) { node in
      last.node.withLock { $0 = node.node }
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.node.shutDown()
      #expect(last.seen.withLock { $0 } == [1])
      let (bytes, _) = try await raw.receiveRest()
      #expect(bytes == Array("bye".utf8))
      #expect(await node.node.heuristics().hookTimeouts == 1)
      last.door.open()
      last.node.withLock { $0 = nil }
    }
  }

  @Test func `A node that nobody holds any more lives until it is shut down`() async throws {
    let echo = Echo()
    var local: LoopBound<LocalNode>?
    var address: PeerAddress?
    do {
      let node = try TestNode(echo)
      try await node.node.start()
      local = node.local
      address = await node.address
    }
    let raw = try RawSocket(to: address!)
    raw.send(frame([1]))
    #expect(try await raw.receive(5) == frame([1]))
    let scheduler = local!.value.scheduler
    let bound = local!
    await withCheckedContinuation { continuation in
      scheduler.execute { bound.value.shutDown { continuation.resume() } }
    }
    weak let gone = local!.value.actor
    local = nil
    try await eventuallyNobodyListens(at: address!)
    try await eventually("the node is freed") { gone == nil }
  }

  @Test func `A crash cuts everything without a hook; everybody who waits learns it`() async throws {
    let logic = Talker()
    try await withNode(Recorder()) { other in
      try await withNode(logic) { node in
        try await node.dial(other)
        let raw = try RawSocket(to: await node.address)
        try await eventually("both are there") { await node.connected == 2 }
        await node.node.crash()
        #expect(try await raw.receiveRest().ending == .reset)
        #expect(logic.reasons.isEmpty)
        #expect(await node.node.counts == (0, 0))
        try await other.logic.sawReason(.reset)
      }
    }
  }

  @Test func `As a service it starts and runs until it is told to end`() async throws {
    let logic = Recorder()
    let node = try TestNode(logic)
    let service = Task { try await node.node.run() }
    try await eventually("it listens") { await node.node.address != nil }
    let raw = try RawSocket(to: await node.address)
    try await eventually("it accepts") { await node.connected == 1 }
    service.cancel()
    try await service.value
    #expect(logic.reasons == [.shutdown])
    raw.close()
  }
}
