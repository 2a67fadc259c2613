/// Who may connect: the limits, counted in one place, so that racing dials and accepts cannot overrun one.
///
/// A value type without I/O. A reservation is made in one step, before anything is awaited, and given back exactly once.
package struct Admission: Sendable {
  package enum Refusal: Sendable, Equatable {
    case shutdown, own, duplicate, maxConnections, perIP, perSubnet, maxConnecting
  }

  package struct Limits: Sendable {
    package var connections: Int
    package var perIP: Int
    package var perSubnet: Int?
    package var connecting: Int
    package init(connections: Int, perIP: Int, perSubnet: Int?, connecting: Int) {
      self.connections = connections
      self.perIP = perIP
      self.perSubnet = perSubnet
      self.connecting = connecting
    }
  }

  /// May change at any time: what there is stays, also where it is more than a new limit.
  package var limits: Limits {
    didSet {
      tolerated.connections = max(limits.connections, entries.count)
      tolerated.perIP = max(limits.perIP, perIP.values.max() ?? 0)
      if (oldValue.perSubnet == nil) != (limits.perSubnet == nil) { countSubnets() }
    }
  }
  /// The limits, or what there was when they became less.
  private var tolerated: Limits
  package private(set) var isShuttingDown = false
  /// Where the node listens: what a dial must not reach.
  package var listening: [PeerAddress] = []

  private struct Entry {
    var isConnecting: Bool
    var ip: IPAddress?
  }
  private var entries: [PeerAddress: Entry] = [:]
  private var perIP: [IPAddress: Int] = [:]
  /// Counted only where there is a limit.
  private var perSubnet: [[UInt8]: Int] = [:]
  package private(set) var connecting = 0

  package init(limits: Limits) {
    self.limits = limits
    tolerated = limits
  }

  /// Live and pending ones.
  package var total: Int { entries.count }
  package var connected: Int { entries.count - connecting }

  /// Reserves a place under the peer's address, or says which rule refuses it.
  package mutating func reserve(_ address: PeerAddress, side: ConnectionSide) -> Refusal? {
    if isShuttingDown { return .shutdown }
    if side == .initiator, listening.contains(where: { address.reaches($0) }) { return .own }
    if entries[address] != nil { return .duplicate }
    if entries.count >= limits.connections { return .maxConnections }
    if connecting >= limits.connecting { return .maxConnecting }
    let ip = address.ip
    if let ip {
      if perIP[ip, default: 0] >= limits.perIP { return .perIP }
      if let limit = limits.perSubnet, perSubnet[ip.subnet, default: 0] >= limit { return .perSubnet }
    }
    entries[address] = Entry(isConnecting: true, ip: ip)
    connecting += 1
    if let ip {
      perIP[ip, default: 0] += 1
      if limits.perSubnet != nil { perSubnet[ip.subnet, default: 0] += 1 }
    }
    return nil
  }

  /// The set-up is over and the connection live; false once shutdown has begun: then it must be given up.
  package mutating func establish(_ address: PeerAddress) -> Bool {
    guard !isShuttingDown, let index = entries.index(forKey: address), entries.values[index].isConnecting else { return false }
    entries.values[index].isConnecting = false
    connecting -= 1
    return true
  }

  /// Gives the place back. A second call for one reservation is a mistake of the engine's.
  package mutating func release(_ address: PeerAddress) {
    guard let entry = entries.removeValue(forKey: address) else {
      preconditionFailure("a reservation for \(address) was released twice")
    }
    if entry.isConnecting { connecting -= 1 }
    guard let ip = entry.ip else { return }
    Self.decrement(&perIP, ip)
    if limits.perSubnet != nil { Self.decrement(&perSubnet, ip.subnet) }
  }

  package mutating func beginShutdown() { isShuttingDown = true }

  /// From the connections there are: while there was no limit, nobody counted.
  private mutating func countSubnets() {
    perSubnet = [:]
    guard limits.perSubnet != nil else { return }
    for (ip, count) in perIP { perSubnet[ip.subnet, default: 0] += count }
  }

  private static func decrement<Key>(_ counts: inout [Key: Int], _ key: Key) {
    let index = counts.index(forKey: key)!
    counts.values[index] -= 1
    if counts.values[index] == 0 { counts.remove(at: index) }
  }

  /// What does not add up, or nil. For tests and the chaos watchdog.
  package var inconsistency: String? {
    if connecting != entries.values.count(where: \.isConnecting) { return "connecting \(connecting) is wrong" }
    if entries.count > tolerated.connections { return "\(entries.count) connections are over the limit" }
    var ips: [IPAddress: Int] = [:]
    for entry in entries.values { if let ip = entry.ip { ips[ip, default: 0] += 1 } }
    if ips != perIP { return "the counts per IP are wrong" }
    var subnets: [[UInt8]: Int] = [:]
    if limits.perSubnet != nil { for (ip, count) in ips { subnets[ip.subnet, default: 0] += count } }
    if subnets != perSubnet { return "the counts per subnet are wrong" }
    if let most = perIP.values.max(), most > tolerated.perIP { return "\(most) connections of one IP are over the limit" }
    return nil
  }
}
