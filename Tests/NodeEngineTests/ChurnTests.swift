import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

/// `on_connect` and `on_disconnect` pair one to one whatever happens, and nothing is left over.
@Suite(.onEveryBackend) struct ChurnTests {
  private func expectPairs(_ logic: Recorder) {
    #expect(logic.connects.sorted() == logic.disconnects.sorted())
    #expect(Set(logic.connects).count == logic.connects.count)
    // No message before the connection is there or after its on_disconnect.
    var over: Set<ConnectionID> = []
    for event in logic.events {
      switch event {
      case .disconnected(let id, _): over.insert(id)
      case .message(let id, _), .connected(let id): #expect(!over.contains(id), "\(event) after its end")
      }
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Dialled, cancelled, closed from either side at once`() async throws {
    let server = Recorder()
    let client = Recorder()
    try await withNode(server, { $0.listen = Array(repeating: $0.listen[0], count: 8) }) { listener in
      try await withNode(client) { dialler in
        let addresses = await listener.node.addresses
        await withTaskGroup(of: Void.self) { group in
          for (index, address) in addresses.enumerated() {
            group.addTask {
              for round in 0..<25 {
                let dial = Task { try? await dialler.node.connect(to: address) }
                if (index + round).isMultiple(of: 3) { dial.cancel() }
                guard let info = await dial.value else { continue }
                _ = try? await dialler.node.send([UInt8(round)], to: info.id)
                if round.isMultiple(of: 2) {
                  await dialler.node.disconnect(info.id)
                } else {
                  for other in await listener.node.connections() where other.address == info.localAddress {
                    await listener.node.disconnect(other.id)
                  }
                  await dialler.node.disconnect(info.id)
                }
              }
            }
          }
        }
        try await eventually("all is over") { await (listener.connected, dialler.connected) == (0, 0) }
        #expect(await (listener.connecting, dialler.connecting) == (0, 0))
      }
    }
    expectPairs(server)
    expectPairs(client)
    #expect(client.connects.count >= 50)
  }

  @Test(.timeLimit(.minutes(5))) func `Raw peers that come and go in every way`() async throws {
    let logic = Echo()
    try await withNode(logic) { node in
      let address = await node.address
      await withTaskGroup(of: Void.self) { group in
        for peer in 0..<8 {
          group.addTask {
            for round in 0..<25 {
              guard let raw = try? RawSocket(to: address) else { continue }
              switch (peer + round) % 5 {
              case 0: raw.close()
              case 1: raw.reset()
              case 2:
                raw.send(frame([1]))
                raw.endWriting()
                _ = try? await raw.receiveRest()
              case 3:
                raw.send([255, 255, 255, 255])
                _ = try? await raw.receiveRest()
              default:
                raw.send(frame([1]) + [0, 0])
                raw.reset()
              }
            }
          }
        }
      }
      try await eventually("all is over") { await node.node.counts == (0, 0) }
    }
    expectPairs(logic)
  }

  /// Everything at once, driven by a seed.
  private final class Chaotic: Recorder, Handshaking, @unchecked Sendable {
    let generator: Mutex<SeededGenerator>
    init(seed: UInt64) {
      generator = Mutex(SeededGenerator(seed: seed))
      super.init()
    }
    nonisolated(nonsending) func handshake(_ connection: Connection) async throws -> String? {
      switch generator.withLock({ Int.random(in: 0..<10, using: &$0) }) {
      case 0: throw Shaker.Refusal()
      case 1, 2:
        await Task.yield()
        return "slow"
      default: return nil
      }
    }
    override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
      try super.process(message, from: connection)
      switch generator.withLock({ Int.random(in: 0..<40, using: &$0) }) {
      case 0: connection.disconnect(DisconnectReason(.local))
      case 1: connection.abort(DisconnectReason(.local))
      case 2: throw Shaker.Refusal()
      case 3: connection.holdMessages(); connection.releaseMessages()
      case 4..<20: _ = connection.trySend(message)
      default: break
      }
    }
    override nonisolated(nonsending) func onDisconnect(_ connection: Connection, _ reason: DisconnectReason) async {
      await super.onDisconnect(connection, reason)
      if generator.withLock({ Bool.random(using: &$0) }) { await Task.yield() }
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: [1, 2, 3, UInt64.random(in: 4...1 << 40)])
  func `Chaos keeps every invariant`(seed: UInt64) async throws {
    print("chaos with seed \(seed)")
    let count = 6
    let nodes = try (0..<count).map { index in
      try TestNode(Chaotic(seed: seed &+ UInt64(index))) {
        ($0.maxConnections, $0.maxConnectionsPerIP, $0.maxConnecting) = (8, 6, 3)
        ($0.idleTimeout, $0.handshakeTimeout, $0.connectionTimeout) = (.milliseconds(200), .milliseconds(100), .milliseconds(200))
        ($0.outboundHighWater, $0.outboundLowWater, $0.inboundQueue) = (4096, 1024, 4)
      }
    }
    for node in nodes { try await node.node.start() }
    var addresses: [PeerAddress] = []
    for node in nodes { addresses.append(await node.address) }
    let places = addresses
    await withTaskGroup(of: Void.self) { group in
      for actor in 0..<(2 * count) {
        group.addTask {
          var generator = SeededGenerator(seed: seed).split("actor \(actor)")
          let own = actor % count
          let node = nodes[own].node
          for step in 0..<150 {
            switch Int.random(in: 0..<12, using: &generator) {
            case 0..<4:
              let target = places[Int.random(in: 0..<count, using: &generator)]
              let dial = Task { try? await node.connect(to: target) }
              if Int.random(in: 0..<5, using: &generator) == 0 { dial.cancel() }
              _ = await dial.value
            case 4..<8:
              if let one = await node.connections().randomElement(using: &generator) {
                let size = Int.random(in: 0..<3000, using: &generator)
                try? await node.send([UInt8](repeating: UInt8(step), count: size), to: one.id)
              }
            case 8: _ = await node.broadcast([UInt8](repeating: 1, count: 100))
            case 9:
              if let one = await node.connections().randomElement(using: &generator) {
                let end = Task { await node.disconnect(one.id) }
                if Bool.random(using: &generator) { end.cancel() }
                _ = await end.value
              }
            case 10:
              if let raw = try? RawSocket(to: places[own]) {
                raw.send(frame([1, 2]))
                Bool.random(using: &generator) ? raw.reset() : raw.close()
              }
            default:
              if let problem = await nodes[own].inconsistency() { Issue.record("seed \(seed): \(problem)") }
            }
            // The last one leaves in the middle of it.
            if own == count - 1, step == 100 { await node.shutDown() }
          }
        }
      }
    }
    await withTaskGroup(of: Void.self) { group in
      for node in nodes { group.addTask { await node.node.shutDown() } }
    }
    for node in nodes {
      expectPairs(node.logic)
      #expect(await node.inconsistency() == nil)
      let left = await node.look {
        [$0.admission.total, $0.live.count, $0.byAddress.count, $0.settingUp.count, $0.dials.count, $0.entering]
      }
      #expect(left == [0, 0, 0, 0, 0, 0], "seed \(seed)")
    }
  }
}
