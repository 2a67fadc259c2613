import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct SendingTests {
  /// Numbers messages when their sending begins; on the node's loop only.
  private final class Numbers: @unchecked Sendable {
    private var last = 0
    nonisolated(nonsending) func send(_ count: Int, on connection: Connection) async {
      for _ in 0..<count {
        last += 1
        let message = [UInt8(last >> 8), UInt8(last & 255)] + [UInt8](repeating: 0, count: 700)
        try? await connection.send(message)
      }
    }
  }

  /// Tries to send where nothing may be sent, in the middle of a read.
  private final class Forbidden: Recorder, @unchecked Sendable {
    let outcomes = Mutex<[SendOutcome]>([])

    override func process(_ message: UnsafeRawBufferPointer, from connection: Connection) throws {
      let before = connection.send(message)
      let inside = connection.node.withoutSending {
        [connection.send(message), connection.trySend(message), connection.write(message)]
      }
      outcomes.withLock { $0 += [before] + inside + [connection.send(message)] }
    }
  }

  @Test func `Where nothing may be sent nothing is, also where a flush is coming anyway`() async throws {
    let logic = Forbidden()
    try await withNode(logic) { node in
      let raw = try RawSocket(to: await node.address)
      raw.send(frame([1]))
      try await eventually("it has tried") { !logic.outcomes.withLock { $0.isEmpty } }
      let outcomes = logic.outcomes.withLock { $0 }
      #expect([outcomes.first, outcomes.last] == [.queued, .queued])
      for outcome in outcomes.dropFirst().dropLast() {
        if case .refused = outcome { continue }
        Issue.record("\(outcome)")
      }
      #expect(outcomes.count == 5)
      raw.close()
    }
  }

  @Test func `Messages and bytes are counted on both sides, and survive the disconnect`() async throws {
    let echo = Echo()
    let logic = Recorder()
    try await withNode(echo) { server in
      try await withNode(logic) { node in
        let info = try await node.dial(server)
        for size in 1...10 { try await node.node.send([UInt8](repeating: 1, count: size), to: info.id) }
        try await eventually("all are back") { logic.messages.count == 10 }
        for statistics in [await node.node.statistics(of: info.id)!, await node.node.statistics()] {
          #expect(statistics.messagesSent == 10 && statistics.bytesSent == 55)
          #expect(statistics.messagesReceived == 10 && statistics.bytesReceived == 55)
          #expect(statistics.createdAt > 1_700_000_000)
        }
        await node.node.disconnect(info.id)
        #expect(await node.node.statistics(of: info.id) == nil)
        let before = await node.node.statistics()
        #expect(before.messagesSent == 10 && before.bytesReceived == 55)
        let again = try await node.dial(server)
        try await node.node.send([1], to: again.id)
        try await eventually("it is back") { await node.node.statistics().messagesReceived == 11 }
        #expect(await node.node.statistics(of: again.id)?.messagesSent == 1)
      }
      try await eventually("the server has them") { await server.node.statistics().messagesReceived == 11 }
    }
  }

  @Test func `A message of megabytes leaves no buffer of its size behind`() async throws {
    try await withNode(Recorder()) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let (queued, isHuge) = await node.look { local in
        let connection = local.connections[0]
        _ = [UInt8](repeating: 1, count: 12 << 20).withUnsafeBytes { connection.write($0) }
        let isFirst = connection.outgoing.isHuge
        connection.flushNow()
        return (isFirst, connection.outgoing.isHuge)
      }
      #expect(queued && !isHuge)
      raw.close()
    }
  }

  @Test func `Sending without a connection`() async throws {
    try await withNode(Recorder()) { server in
      try await withNode(Recorder()) { node in
        let never = await failure { () throws(NodeError) in try await node.node.send([1], to: ConnectionID(rawValue: 99)) }
        #expect(never?.code == .closed)
        let info = try await node.dial(server)
        await node.node.disconnect(info.id)
        #expect(await failure { () throws(NodeError) in try await node.node.send([1], to: info.id) }?.code == .closed)
        #expect(await node.node.broadcast([1]) == 0)
      }
    }
  }

  @Test func `Order is kept, nothing is lost or doubled, also under many senders`() async throws {
    let logic = Recorder()
    try await withNode(logic) { server in
      try await withNode(Recorder(), { ($0.outboundHighWater, $0.outboundLowWater) = (4096, 1024) }) { node in
        let info = try await node.dial(server)
        try await withThrowingTaskGroup(of: Void.self) { group in
          for sender in 0..<8 as Range<UInt8> {
            group.addTask {
              for number in 0..<100 as Range<UInt8> {
                try await node.node.send([sender, number] + [UInt8](repeating: 0, count: 500), to: info.id)
              }
            }
          }
          try await group.waitForAll()
        }
        try await eventually("all are there") { logic.messages.count == 800 }
        for sender in 0..<8 as Range<UInt8> {
          #expect(logic.messages.filter { $0[0] == sender }.map { $0[1] } == Array(0..<100))
        }
      }
    }
  }

  @Test func `Who waits longest is served first, also before the next message of one who was just served`() async throws {
    let logic = Recorder()
    try await withNode(logic) { server in
      try await withNode(Recorder(), { ($0.outboundHighWater, $0.outboundLowWater) = (4096, 1024) }) { node in
        let info = try await node.dial(server)
        let connection = await node.look { LoopBound($0.connection(id: info.id)!) }
        let numbers = Numbers()
        await withTaskGroup(of: Void.self) { group in
          for _ in 0..<6 { group.addTask { await node.node.perform { _ in await numbers.send(100, on: connection.value) } } }
        }
        try await eventually("all are there") { logic.messages.count == 600 }
        #expect(logic.messages.map { Int($0[0]) << 8 | Int($0[1]) } == Array(1...600))
      }
    }
  }

  @Test func `A broadcast reaches all but the one that is left out`() async throws {
    let logics = (0..<3).map { _ in Recorder() }
    try await withNode(Recorder()) { hub in
      try await withNode(logics[0]) { a in
        try await withNode(logics[1]) { b in
          try await withNode(logics[2]) { c in
            let ids = [try await hub.dial(a).id, try await hub.dial(b).id, try await hub.dial(c).id]
            #expect(await hub.node.broadcast([1]) == 3)
            #expect(await hub.node.broadcast([2], except: ids[1]) == 2)
            try await eventually("they have it") { logics.map(\.messages.count) == [2, 1, 2] }
          }
        }
      }
    }
  }

  @Test func `A full queue says so at eight times the high-water mark`() async throws {
    try await withNode(Recorder(.bytes), { ($0.outboundHighWater, $0.outboundLowWater) = (10_000, 1000) }) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let (queued, outcome, plain) = await node.look { local in
        let connection = local.connections[0]
        let chunk = [UInt8](repeating: 1, count: 1000)
        var outcome = SendOutcome.queued
        var count = 0
        // Within one tick nothing leaves.
        while outcome == .queued, count < 1000 {
          outcome = chunk.withUnsafeBytes { connection.trySend($0) }
          count += 1
        }
        return (connection.queued, outcome, connection.node.heuristics.droppedMessages)
      }
      #expect(outcome == .full)
      #expect(queued == 80_000)
      #expect(plain == 0)
      _ = try await raw.receive(80_000)
      // It has left, so there is room again, once the node has heard of it: another thread may have written it.
      try await eventually("there is room") { await node.node.broadcast([1]) == 1 }
      raw.close()
    }
  }

  @Test func `A sender waits over the high-water mark, and goes on below the low one`() async throws {
    try await withNode(
      Recorder(.bytes), { ($0.outboundHighWater, $0.outboundLowWater, $0.writeTimeout) = (32_768, 8192, .seconds(60)) }
    ) { node in
      let raw = try RawSocket(to: await node.address, receiveBuffer: 4096)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { try? $0.connections[0].setOption("send_buffer", .integer(8192)) }
      let id = await node.node.connections()[0].id
      let total = 60
      let sender = Task {
        for _ in 0..<total { try await node.node.send([UInt8](repeating: 3, count: 4096), to: id) }
      }
      try await eventually("the queue is full") { await node.look { $0.connections[0].writers.count == 1 } }
      let sent = await node.node.statistics(of: id)!.messagesSent
      #expect(sent < total)
      #expect(await node.look { $0.connections[0].queued } < 32_768 + 4096)
      var read = 0
      try await eventually("all is read") {
        if case .bytes(let bytes) = raw.poll() { read += bytes.count }
        return read == total * 4096
      }
      try await sender.value
      raw.close()
    }
  }

  @Test func `Senders that wait learn that the connection is over`() async throws {
    try await withNode(
      Recorder(.bytes), { ($0.outboundHighWater, $0.outboundLowWater, $0.writeTimeout) = (32_768, 8192, .seconds(60)) }
    ) { node in
      let raw = try RawSocket(to: await node.address, receiveBuffer: 4096)
      try await eventually("it is there") { await node.connected == 1 }
      let id = await node.node.connections()[0].id
      let senders = (0..<3).map { _ in
        Task {
          await failure { () throws(NodeError) in
            while true { try await node.node.send([UInt8](repeating: 3, count: 8192), to: id) }
          }
        }
      }
      try await eventually("they wait") { await node.look { $0.connections[0].writers.count == 3 } }
      raw.reset()
      for sender in senders { #expect(await sender.value?.code == .closed) }
    }
  }

  @Test func `A message over the codec's max is refused, the connection stays`() async throws {
    try await withNode(Recorder(.lengthPrefixed(max: 10))) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let id = await node.node.connections()[0].id
      let error = await failure { () throws(NodeError) in try await node.node.send([UInt8](repeating: 0, count: 11), to: id) }
      #expect(error?.code == .tooLarge)
      #expect(error?.message.contains("over the codec's max of 10") == true)
      try await node.node.send([UInt8](repeating: 5, count: 10), to: id)
      #expect(try await raw.receive(14) == frame([UInt8](repeating: 5, count: 10)))
      raw.close()
    }
  }

  @Test func `Many sends of one tick leave in one piece, whatever their number`() async throws {
    try await withNode(Recorder()) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      await node.look { local in
        for number in 0..<1000 { _ = [UInt8(number & 255)].withUnsafeBytes { local.connections[0].send($0) } }
      }
      #expect(try await raw.receive(5000) == (0..<1000).flatMap { frame([UInt8($0 & 255)]) })
      raw.close()
    }
  }

  @Test func `Socket options are set, unknown ones refused with a suggestion`() async throws {
    try await withNode(Recorder()) { node in
      let raw = try RawSocket(to: await node.address)
      try await eventually("it is there") { await node.connected == 1 }
      let messages = await node.look { local in
        let connection = local.connections[0]
        return [
          ("nodelay", ConfigurationValue.boolean(false)), ("keepalive", .boolean(true)), ("receive_buffer", .integer(65_536)),
          ("nodlay", .boolean(true)), ("nodelay", .string("x")),
        ].map { name, value -> String? in
          do throws(NodeError) {
            try connection.setOption(name, value)
            return nil
          } catch {
            return error.message
          }
        }
      }
      #expect(messages[..<3].allSatisfy { $0 == nil })
      #expect(messages[3]?.contains("did you mean \"nodelay\"?") == true)
      #expect(messages[4] != nil)
      raw.close()
    }
  }
}
