import NodeCore
import Testing

@Suite struct AdmissionTests {
  private func address(_ text: String) -> PeerAddress { try! PeerAddress(parsing: text) }
  private func admission(connections: Int = 10, perIP: Int = 10, perSubnet: Int? = nil, connecting: Int = 10) -> Admission {
    Admission(limits: .init(connections: connections, perIP: perIP, perSubnet: perSubnet, connecting: connecting))
  }

  @Test func `Pending ones count`() {
    var admission = admission(connections: 2)
    #expect(admission.reserve(address("1.1.1.1:1"), side: .initiator) == nil)
    #expect(admission.reserve(address("1.1.1.1:2"), side: .responder) == nil)
    #expect(admission.reserve(address("1.1.1.1:3"), side: .responder) == .maxConnections)
    #expect((admission.total, admission.connecting, admission.connected) == (2, 2, 0))
    #expect(admission.establish(address("1.1.1.1:1")) == true)
    #expect((admission.total, admission.connecting, admission.connected) == (2, 1, 1))
    admission.release(address("1.1.1.1:1"))
    #expect(admission.reserve(address("1.1.1.1:3"), side: .responder) == nil)
  }

  @Test func `An address is taken until it is released`() {
    var admission = admission()
    #expect(admission.reserve(address("1.1.1.1:1"), side: .initiator) == nil)
    #expect(admission.reserve(address("[::ffff:1.1.1.1]:1"), side: .responder) == .duplicate)
    _ = admission.establish(address("1.1.1.1:1"))
    #expect(admission.reserve(address("1.1.1.1:1"), side: .initiator) == .duplicate)
    admission.release(address("1.1.1.1:1"))
    #expect(admission.reserve(address("1.1.1.1:1"), side: .initiator) == nil)
  }

  @Test func `An IP address has its limit, in both directions and in either spelling`() {
    var admission = admission(perIP: 2)
    #expect(admission.reserve(address("1.1.1.1:1"), side: .initiator) == nil)
    #expect(admission.reserve(address("[::ffff:1.1.1.1]:2"), side: .responder) == nil)
    #expect(admission.reserve(address("1.1.1.1:3"), side: .responder) == .perIP)
    #expect(admission.reserve(address("1.1.1.2:3"), side: .responder) == nil)
    #expect(admission.reserve(address("unix:/a"), side: .responder) == nil)
  }

  @Test func `A subnet has its limit`() {
    var admission = admission(perSubnet: 2)
    for last in 1...2 { #expect(admission.reserve(address("1.1.1.\(last):1"), side: .responder) == nil) }
    #expect(admission.reserve(address("1.1.1.3:1"), side: .responder) == .perSubnet)
    #expect(admission.reserve(address("1.1.2.3:1"), side: .responder) == nil)
    for last in 1...2 { #expect(admission.reserve(address("[2001:db8::\(last)]:1"), side: .responder) == nil) }
    #expect(admission.reserve(address("[2001:db8::3]:1"), side: .responder) == .perSubnet)
    #expect(admission.inconsistency == nil)
  }

  @Test func `Set-ups have one budget`() {
    var admission = admission(connecting: 2)
    _ = admission.reserve(address("1.1.1.1:1"), side: .initiator)
    _ = admission.reserve(address("1.1.1.1:2"), side: .responder)
    #expect(admission.reserve(address("1.1.1.1:3"), side: .initiator) == .maxConnecting)
    _ = admission.establish(address("1.1.1.1:1"))
    #expect(admission.reserve(address("1.1.1.1:3"), side: .initiator) == nil)
  }

  @Test func `A dial to oneself is refused, an accept from there is not`() {
    var admission = admission()
    admission.listening = [address("0.0.0.0:9"), address("unix:/a")]
    #expect(admission.reserve(address("127.0.0.1:9"), side: .initiator) == .own)
    #expect(admission.reserve(address("unix:/a"), side: .initiator) == .own)
    #expect(admission.reserve(address("127.0.0.1:9"), side: .responder) == nil)
    #expect(admission.total == 1)
  }

  @Test func `Nothing is admitted or established once shutdown has begun`() {
    var admission = admission()
    _ = admission.reserve(address("1.1.1.1:1"), side: .initiator)
    admission.beginShutdown()
    #expect(admission.reserve(address("1.1.1.1:2"), side: .initiator) == .shutdown)
    #expect(admission.establish(address("1.1.1.1:1")) == false)
    #expect(admission.total == 1)
    admission.release(address("1.1.1.1:1"))
    #expect(admission.total == 0)
  }

  @Test func `Establishing what is not pending does nothing`() {
    var admission = admission()
    #expect(admission.establish(address("1.1.1.1:1")) == false)
    _ = admission.reserve(address("1.1.1.1:1"), side: .initiator)
    #expect(admission.establish(address("1.1.1.1:1")) == true)
    #expect(admission.establish(address("1.1.1.1:1")) == false)
    #expect(admission.connecting == 0)
  }

  @Test func `A limit that begins while there are connections counts those, too`() {
    var admission = admission()
    for last in 1...2 { #expect(admission.reserve(address("1.1.1.\(last):1"), side: .responder) == nil) }
    admission.limits.perSubnet = 2
    #expect(admission.reserve(address("1.1.1.3:1"), side: .responder) == .perSubnet)
    admission.release(address("1.1.1.1:1"))
    #expect(admission.reserve(address("1.1.1.3:1"), side: .responder) == nil)
    admission.limits.perSubnet = nil
    for last in 2...3 { admission.release(address("1.1.1.\(last):1")) }
    admission.limits.perSubnet = 1
    #expect(admission.reserve(address("1.1.1.1:1"), side: .responder) == nil)
  }

  @Test func `A lower limit ends nobody, and lets nobody in`() {
    var admission = admission()
    for port in 1...3 { #expect(admission.reserve(address("1.1.1.1:\(port)"), side: .responder) == nil) }
    admission.limits.connections = 2
    #expect((admission.total, admission.inconsistency) == (3, nil))
    admission.release(address("1.1.1.1:1"))
    #expect(admission.reserve(address("1.1.1.1:1"), side: .responder) == .maxConnections)
  }

  /// Against a model that counts everything anew each time, under limits that change.
  @Test(arguments: 0..<20 as Range<UInt64>)
  func `Whatever happens, the counts agree`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var admission = admission(connections: 8, perIP: 3, perSubnet: 5, connecting: 4)
    var model: [PeerAddress: Bool] = [:]
    let addresses = (0..<6).flatMap { ip in (1...4).map { address("10.0.\(ip / 3).\(ip):\($0)") } }
    for _ in 0..<2000 {
      let one = addresses.randomElement(using: &generator)!
      let limits = admission.limits
      switch Int.random(in: 0..<9, using: &generator) {
      case 0..<4:
        let sameIP = model.keys.count { $0.ip == one.ip }
        let sameSubnet = model.keys.count { $0.ip!.subnet == one.ip!.subnet }
        let pending = model.values.count { $0 }
        let expected: Admission.Refusal? =
          model[one] != nil
          ? .duplicate
          : model.count >= limits.connections
            ? .maxConnections
            : pending >= limits.connecting
              ? .maxConnecting
              : sameIP >= limits.perIP ? .perIP : sameSubnet >= limits.perSubnet ?? .max ? .perSubnet : nil
        #expect(admission.reserve(one, side: Bool.random(using: &generator) ? .initiator : .responder) == expected)
        if expected == nil { model[one] = true }
      case 4, 5:
        #expect(admission.establish(one) == (model[one] == true))
        if model[one] == true { model[one] = false }
      case 6, 7:
        if model.removeValue(forKey: one) != nil { admission.release(one) }
      default:
        admission.limits = Admission.Limits(
          connections: .random(in: 4...12, using: &generator), perIP: .random(in: 1...4, using: &generator),
          perSubnet: Bool.random(using: &generator) ? .random(in: 2...8, using: &generator) : nil,
          connecting: .random(in: 2...6, using: &generator))
      }
      #expect(admission.inconsistency == nil)
      #expect((admission.total, admission.connecting) == (model.count, model.values.count { $0 }))
    }
    for one in model.keys { admission.release(one) }
    #expect((admission.total, admission.connecting, admission.inconsistency) == (0, 0, nil))
  }
}
