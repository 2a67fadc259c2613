import LuaHost
import NodeEngine

/// The messages of one read, one after the other, for as long as the connection is to have them.
struct MessageSeries {
  // Both live as long as the read that is being handled.
  private let side: Unmanaged<ConnectionScript>
  private let inbound: Unmanaged<Inbound>
  /// Nothing more was to be had when it was asked last.
  private(set) var isOver = false
  private(set) var problem: String?
  /// Messages until somebody looks at the clock.
  private var left = MessageTurn.series

  init(_ side: ConnectionScript) {
    self.side = .passUnretained(side)
    inbound = .passUnretained(side.connection.inbound)
  }

  static let next: LuaMessageSource = { context, bytes, count in
    let series = context!.assumingMemoryBound(to: MessageSeries.self)
    let isGiven = series.pointee.next(&bytes!.pointee, &count!.pointee)
    if !isGiven, series.pointee.left >= 0 { series.pointee.isOver = true }
    return isGiven
  }

  /// For as many messages again.
  mutating func goOn() { left = MessageTurn.series }

  @inline(__always)
  private mutating func next(_ start: inout UnsafeRawPointer?, _ count: inout Int) -> Bool {
    left &-= 1
    guard left >= 0 else { return false }
    // A hook ended or paused the connection, or asked for a reply.
    guard side._withUnsafeGuaranteedRef({ $0.connection.takesMessages && !$0.hasRequests }) else { return false }
    switch inbound._withUnsafeGuaranteedRef({ $0.nextMessage() }) {
    case .message(let message):
      start = message.baseAddress
      count = message.count
      return true
    case .needMore: return false
    case .invalid(let why):
      problem = why
      return false
    }
  }

  // Where the script's own decoder cuts

  static func decoder(_ decode: LuaRef?, _ refuse: LuaRef?, max: Int) -> LuaDecoder? {
    guard let decode, let refuse else { return nil }
    return LuaDecoder(decode: decode, refuse: refuse, max: max, take: take, expect: expect)
  }

  /// All that has arrived, for as long as there is something.
  static let look: LuaMessageSource = { context, bytes, count in
    let series = context!.assumingMemoryBound(to: MessageSeries.self)
    let isGiven = series.pointee.look(&bytes!.pointee, &count!.pointee)
    if !isGiven, series.pointee.left >= 0 { series.pointee.isOver = true }
    return isGiven
  }

  @inline(__always)
  private mutating func look(_ start: inout UnsafeRawPointer?, _ count: inout Int) -> Bool {
    left &-= 1
    guard left >= 0 else { return false }
    guard side._withUnsafeGuaranteedRef({ $0.connection.takesMessages && !$0.hasRequests }) else { return false }
    let bytes = inbound._withUnsafeGuaranteedRef { $0.bytes }
    start = bytes.baseAddress
    count = bytes.count
    side._withUnsafeGuaranteedRef { $0.noteView() }
    return bytes.count > 0
  }

  private static let take: @convention(c) (UnsafeMutableRawPointer?, Int) -> Bool = { context, count in
    let series = context!.assumingMemoryBound(to: MessageSeries.self)
    let isTaken = series.pointee.side._withUnsafeGuaranteedRef { side in
      // The decoder may have read by itself, too.
      guard side.connection.isOpen, side.connection.inbound.bytes.count >= count else { return false }
      side.connection.inbound.consume(count)
      side.connection.inbound.countMessage(bytes: count)
      return true
    }
    if !isTaken { series.pointee.isOver = true }
    return isTaken
  }

  private static let expect: @convention(c) (UnsafeMutableRawPointer?, Int) -> Void = { context, total in
    let series = context!.assumingMemoryBound(to: MessageSeries.self)
    series.pointee.inbound._withUnsafeGuaranteedRef { $0.expect(total) }
    series.pointee.isOver = true
  }
}

extension ConnectionScript {
  /// Whether others have their turn before the next message; otherwise the series may go on.
  func hasHadItsTurn(_ series: inout MessageSeries) -> Bool {
    runtime.vm.forgetLongRun()
    guard runtime.turns.isMessageShareUsed else {
      series.goOn()
      return false
    }
    fallBehind()
    return true
  }

  /// Whether the binding's loop may go on: asked before each message.
  @inline(__always)
  var mayGoOn: Bool {
    seriesLeft &-= 1
    return (seriesLeft >= 0 && !runtime.vm.hasRunLong) || mayGoOnAfterSeries()
  }

  @inline(never)
  private func mayGoOnAfterSeries() -> Bool {
    runtime.vm.forgetLongRun()
    seriesLeft = MessageTurn.series
    guard runtime.turns.isMessageShareUsed else { return true }
    fallBehind()
    return false
  }

  /// What else has arrived is handled when its turn comes; until then nothing is read.
  func fallBehind() {
    let connection = connection
    guard !connection.isBehind else { return }
    connection.fallBehind()
    runtime.turns.wait(.goingOn) { connection.catchUp() }
  }
}
