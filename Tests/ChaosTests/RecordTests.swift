import Testing

@testable import Chaos

/// What the chaos test goes by has to see what it is there for.
struct RecordTests {
  private let peer = EndKey(node: 9, connection: 3)

  private func record(_ sheet: BalanceSheet = BalanceSheet(), drops: Bool = false, mayBeEarly: Bool = false) -> NodeRecord {
    NodeRecord(key: 1, mayBeEarly: mayBeEarly, drops: drops, sheet: sheet)
  }

  private func handle(_ record: NodeRecord, _ numbers: [UInt32], lane: Lane = .sent) -> String? {
    for number in numbers {
      if let problem = record.handled(1, from: peer, lane: lane.rawValue, number: number) { return problem }
    }
    return nil
  }

  @Test func `Messages in order are in order`() {
    let record = record()
    #expect(record.connected(1, peer: peer) == nil)
    #expect(handle(record, [1, 2, 3]) == nil)
    #expect(record.disconnected(1, sent: 0) == nil)
    #expect(record.imbalance == nil)
  }

  @Test(arguments: [[1, 1], [2, 1], [1, 2, 2], [1, 3]] as [[UInt32]])
  func `One that is doubled, late or missing is seen`(numbers: [UInt32]) {
    let record = record()
    #expect(record.connected(1, peer: peer) == nil)
    #expect(handle(record, numbers) != nil)
  }

  @Test func `Where the policy drops, and in broadcasts, some may be missing but none is late`() {
    for (drops, lane) in [(true, Lane.sent), (false, .broadcast)] {
      let record = record(drops: drops)
      #expect(record.connected(1, peer: peer) == nil)
      #expect(handle(record, [1, 5, 9], lane: lane) == nil)
      #expect(handle(record, [8], lane: lane) != nil)
    }
  }

  @Test func `Broadcasts of code that was replaced have numbers of their own beside those of the new one`() {
    let record = record()
    #expect(record.connected(1, peer: peer) == nil)
    func handle(code: UInt64, _ number: UInt32) -> String? {
      record.handled(1, from: .everybody(from: peer.node, code: code), lane: Lane.broadcast.rawValue, number: number)
    }
    #expect(handle(code: 1, 22) == nil && handle(code: 5, 22) == nil && handle(code: 1, 23) == nil)
    #expect(handle(code: 5, 22) != nil && handle(code: 1, 21) != nil)
    #expect(record.handled(1, from: .everybody(from: 8), lane: Lane.broadcast.rawValue, number: 1) != nil)
  }

  @Test func `Numbers come twice only from a node that has said that its state went back`() {
    let sheet = BalanceSheet()
    let record = record(sheet)
    #expect(record.connected(1, peer: peer) == nil)
    #expect(handle(record, [1, 2, 3]) == nil)
    #expect(handle(record, [2]) != nil)
    sheet.noteStateLoss(peer.node)
    #expect(handle(record, [2, 3, 4]) == nil)
    #expect(handle(record, [6]) != nil)
  }

  @Test func `A message before on_connect, after on_disconnect or of another peer is seen`() {
    let record = record()
    #expect(handle(record, [1]) != nil)
    #expect(record.connected(1, peer: peer) == nil)
    #expect(record.handled(1, from: EndKey(node: 8, connection: 3), lane: 0, number: 1) != nil)
    #expect(record.disconnected(1, sent: 0) == nil)
    #expect(handle(record, [1]) != nil)
  }

  @Test func `Hooks that do not pair are seen`() {
    let twice = record()
    #expect(twice.connected(1, peer: peer) == nil)
    #expect(twice.imbalance != nil)
    #expect(twice.connected(1, peer: peer) != nil)
    let alone = record()
    #expect(alone.disconnected(1, sent: 0) != nil)
    let nobody = record()
    #expect(nobody.connected(1, peer: nil) != nil)
    let early = record(mayBeEarly: true)
    #expect(handle(early, [1]) == nil)
    #expect(early.disconnected(1, sent: 0) != nil)
  }

  @Test func `A connection that handled more than was sent is seen, whichever end is over first`() {
    let sheet = BalanceSheet()
    let (a, b) = (EndKey(node: 1, connection: 1), EndKey(node: 2, connection: 1))
    #expect(sheet.ended(a, peer: b, sent: 5, handled: 2) == nil)
    #expect(sheet.ended(b, peer: a, sent: 2, handled: 4) == nil)
    #expect((sheet.totals.sent, sheet.totals.handled, sheet.totals.unhandled) == (7, 6, 1))
    #expect(sheet.ended(a, peer: b, sent: 5, handled: 2) == nil)
    #expect(sheet.ended(b, peer: a, sent: 2, handled: 6) != nil)
    #expect(sheet.ended(b, peer: a, sent: 2, handled: 5) == nil)
    #expect(sheet.ended(a, peer: b, sent: 5, handled: 3) != nil)
  }

  @Test func `What is missing of a script's messages has to be explained by runs that were ended`() {
    let sheet = BalanceSheet()
    let record = record(sheet)
    sheet.addScript(peer.node)
    #expect(record.connected(1, peer: peer) == nil)
    #expect(handle(record, [1, 3, 6]) == nil)
    #expect(sheet.unexplained(peer.node, kills: 3) == nil)
    #expect(sheet.unexplained(peer.node, kills: 2) != nil)
    #expect(handle(record, [5]) != nil)
  }

  @Test func `A message survives its way as bytes, and nothing else is taken for one`() throws {
    for action in Message.Action.allCases {
      let sent = Message(sender: peer, lane: .broadcast, number: 77, action: action)
      let read = sent.bytes(padding: 20).withUnsafeBytes { Message($0) }
      let message = try #require(read)
      #expect(message.sender == peer && message.lane == 1 && message.number == 77 && message.action == action)
    }
    let bytes = Message(sender: peer, lane: .sent, number: 1, action: .nothing).bytes(padding: 4)
    #expect(bytes.dropLast(5).withUnsafeBytes { Message($0) } == nil)
    #expect((bytes + [0]).withUnsafeBytes { Message($0) } == nil)
    #expect(EndKey(greeting: peer.greeting) == peer)
    #expect(EndKey("\(peer)") == peer)
  }
}
