import CEpoll
import Glibc
import Testing

@testable import NodeEngine

/// Calls for several sockets, together and one by one.
@Suite struct SocketRingTests {
  /// Two sockets that are connected to each other; they close with this.
  private final class Pair {
    let near: Int32
    private(set) var far: Int32

    init() throws {
      var ends: [Int32] = [-1, -1]
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
      try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
      (near, far) = (ends[0], ends[1])
    }

    deinit {
      Glibc.close(near)
      leave()
    }

    func leave() {
      guard far >= 0 else { return }
      // Other tests start programs: one that is just being started has a copy of the descriptor for a moment.
      shutdown(far, Int32(SHUT_RDWR))
      Glibc.close(far)
      far = -1
    }

    func put(_ bytes: [UInt8]) { _ = Glibc.send(far, bytes, bytes.count, 0) }

    func get() -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      return Array(bytes[..<max(0, recv(far, &bytes, bytes.count, 0))])
    }
  }

  /// A ring, closed in the end, and so many calls with 100 bytes of room each.
  private func withRing(
    _ calls: SocketCalls, _ count: Int,
    _ body: (SocketRing, UnsafeMutableBufferPointer<cepoll_call>, [Pair]) throws -> Void
  ) throws {
    let ring = SocketRing()
    ring.open(calls)
    defer { ring.close() }
    #expect(ring.isOpen == (calls == .together && SocketRing.isAvailable))
    let memory = UnsafeMutableRawPointer.allocate(byteCount: count * 100, alignment: 1)
    defer { memory.deallocate() }
    let pairs = try (0..<count).map { _ in try Pair() }
    try withUnsafeTemporaryAllocation(of: cepoll_call.self, capacity: count) { calls in
      for (index, pair) in pairs.enumerated() {
        calls[index] = cepoll_call(bytes: memory + index * 100, count: 100, result: 12345, descriptor: pair.near)
      }
      try body(ring, calls, pairs)
    }
  }

  private func bytes(_ call: cepoll_call) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: call.bytes, count: max(0, call.result)))
  }

  @Test(arguments: [SocketCalls.together, .oneByOne], [1, SocketRing.worthwhile, SocketRing.capacity])
  func `Each read gets its own socket's bytes, an end or an error`(calls: SocketCalls, count: Int) throws {
    try withRing(calls, count) { ring, calls, pairs in
      // Again and again: the queues come round.
      for round in UInt8(0)..<40 {
        for (index, pair) in pairs.enumerated() where index % 3 != 2 { pair.put([round, UInt8(index)]) }
        ring.receive(calls.baseAddress!, count)
        for index in 0..<count {
          #expect(calls[index].result == (index % 3 == 2 ? -Int(EAGAIN) : 2), "\(index)")
          if index % 3 != 2 { #expect(bytes(calls[index]) == [round, UInt8(index)]) }
        }
      }
      pairs[0].put([UInt8](repeating: 7, count: 130))
      ring.receive(calls.baseAddress!, count)
      #expect(bytes(calls[0]) == [UInt8](repeating: 7, count: 100))
      ring.receive(calls.baseAddress!, count)
      #expect(bytes(calls[0]) == [UInt8](repeating: 7, count: 30))
      for pair in pairs { pair.leave() }
      calls[count - 1].descriptor = -1
      ring.receive(calls.baseAddress!, count)
      for index in 0..<count { #expect(calls[index].result == (index == count - 1 ? -Int(EBADF) : 0), "\(index)") }
    }
  }

  @Test(arguments: [SocketCalls.together, .oneByOne], [1, SocketRing.worthwhile, SocketRing.capacity])
  func `Each write says what the kernel took of it`(calls: SocketCalls, count: Int) throws {
    try withRing(calls, count) { ring, calls, pairs in
      for index in 0..<count { memset(calls[index].bytes, Int32(index), 100) }
      ring.send(calls.baseAddress!, count)
      for index in 0..<count {
        #expect(calls[index].result == 100)
        #expect(pairs[index].get() == [UInt8](repeating: UInt8(index), count: 100))
      }
      // Full, gone, and no socket at all; nobody is ended by a signal.
      let large = UnsafeMutableRawPointer.allocate(byteCount: 4 << 20, alignment: 1)
      defer { large.deallocate() }
      memset(large, 1, 4 << 20)
      (calls[0].bytes, calls[0].count) = (large, 4 << 20)
      ring.send(calls.baseAddress!, count)
      let taken = calls[0].result
      #expect(taken > 0 && taken < 4 << 20)
      ring.send(calls.baseAddress!, count)
      #expect(calls[0].result == -Int(EAGAIN))
      pairs[0].leave()
      if count > 1 { calls[1].descriptor = -1 }
      ring.send(calls.baseAddress!, count)
      #expect(calls[0].result == -Int(EPIPE))
      if count > 1 { #expect(calls[1].result == -Int(EBADF)) }
      if count > 2 { #expect(calls[2].result == 100) }
    }
  }
}
