/// What nodes of the chaos test send each other: who says it, its number, and what the receiver is to do.
///
/// In Lua: `string.pack(">I4I8BI4B", …)`, and padding.
struct Message {
  /// What the hook that gets a message does with it.
  enum Action: UInt8, CaseIterable {
    case nothing = 0, echo, raise, loop, bomb, disconnect, hold, abort, lie, badError, recurse, coroutine, hugeString
    case shutDown, pause, spawn, closeLoop
  }

  /// Those that use up a budget or a node: rationed.
  static let dear: Set<Action> = [.loop, .bomb, .recurse, .coroutine, .hugeString, .shutDown, .closeLoop, .lie, .badError]
  static let headerSize = 18

  var sender: EndKey
  var lane: UInt8
  var number: UInt32
  var action: Action

  func bytes(padding: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.headerSize + padding)
    func append<Number: FixedWidthInteger>(_ number: Number) {
      withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
    append(sender.node)
    append(sender.connection)
    append(lane)
    append(number)
    append(action.rawValue)
    bytes.append(contentsOf: repeatElement(0x78, count: padding))
    return bytes
  }

  init(sender: EndKey, lane: Lane, number: UInt32, action: Action) {
    (self.sender, self.lane, self.number, self.action) = (sender, lane.rawValue, number, action)
  }

  /// Nil for what no node of this test has sent.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= Self.headerSize else { return nil }
    func load<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number {
      Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
    guard let action = Action(rawValue: bytes[17]), bytes[18...].allSatisfy({ $0 == 0x78 }) else { return nil }
    sender = EndKey(node: load(0, UInt32.self), connection: load(4, UInt64.self))
    lane = bytes[12]
    number = load(13, UInt32.self)
    self.action = action
  }
}

extension EndKey {
  /// What both sides say first in a handshake: `string.pack(">I4I8", …)`.
  var greeting: [UInt8] {
    withUnsafeBytes(of: node.bigEndian) { Array($0) } + withUnsafeBytes(of: connection.bigEndian) { Array($0) }
  }

  init(greeting: [UInt8]) {
    node = greeting[..<4].reduce(0) { $0 << 8 | UInt32($1) }
    connection = greeting[4..<12].reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// As ``description``.
  init?(_ text: String) {
    let parts = text.split(separator: ":")
    guard parts.count == 2, let node = UInt32(parts[0]), let connection = UInt64(parts[1]) else { return nil }
    self.init(node: node, connection: connection)
  }
}
