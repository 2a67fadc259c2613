import Glibc
import NodeCore
import Testing

@testable import NodeEngine

/// What a listener asks before it accepts.
@Suite struct AcceptQueueTests {
  private func listen(on wish: PeerAddress) throws -> (descriptor: Int32, address: PeerAddress) {
    let wish = try SystemAddress(wish)
    let descriptor = try SystemSocket.open(for: wish)
    try #require(wish.withPointer { bind(descriptor, $0, $1) } == 0)
    try #require(Glibc.listen(descriptor, 16) == 0)
    return (descriptor, try #require(SystemAddress.local(descriptor)))
  }

  private func dial(_ address: PeerAddress) throws -> Int32 {
    let target = try SystemAddress(address)
    let descriptor = socket(target.family, Int32(SOCK_STREAM.rawValue), 0)
    try #require(target.withPointer { connect(descriptor, $0, $1) } == 0)
    return descriptor
  }

  @Test func `The kernel says how many connections wait to be accepted`() throws {
    let listener = try listen(on: .ip(.loopback, port: 0))
    defer { close(listener.descriptor) }
    #expect(SystemSocket.waitingConnections(listener.descriptor) == 0)
    let peers = try (0..<3).map { _ in try dial(listener.address) }
    defer { peers.forEach { close($0) } }
    #expect(SystemSocket.waitingConnections(listener.descriptor) == 3)
    let first = accept(listener.descriptor, nil, nil)
    defer { close(first) }
    #expect(SystemSocket.waitingConnections(listener.descriptor) == 2)
  }

  @Test func `Where it does not say, it is 0`() {
    var ends: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    #expect(SystemSocket.waitingConnections(ends[0]) == 0)
    ends.forEach { close($0) }
  }
}
