import Synchronization

/// Which end of which node's connection, across the whole run.
struct EndKey: Hashable, CustomStringConvertible {
  var node: UInt32
  var connection: UInt64
  var description: String { "\(node):\(connection)" }

  /// Who a broadcast is from: it is the same bytes for all connections. In place of one's number it names the code that
  /// counts: sessions stay with code that was replaced, and go on broadcasting beside the new one.
  static func everybody(from node: UInt32, code: UInt64 = 0) -> EndKey { EndKey(node: node, connection: code) }
}

/// How messages of one sender are numbered.
enum Lane: UInt8 {
  /// Sent to one connection, one by one: no number may be missing.
  case sent = 0
  /// To all at once, numbered by each code of the node by itself: one that came later has not had the earlier ones, and a
  /// full queue is passed over.
  case broadcast = 1
}

/// What the hooks of one node said, checked as they say it: each method gives what is wrong, or nil.
final class NodeRecord: Sendable {
  /// One connection, from `on_connect` to `on_disconnect`.
  struct End {
    var isConnected = false
    var peer: EndKey?
    var last: [Series: UInt32] = [:]
    var handled = 0
  }
  /// What is numbered in order: the messages to one connection, or the broadcasts of one code.
  enum Series: Hashable { case sent, broadcast(code: UInt64) }
  private struct State {
    var ends: [UInt64: End] = [:]
    var connects = 0
    var disconnects = 0
    var handled = 0
    var hasCrashed = false
  }

  let key: UInt32
  /// `process_message` may be called before `on_connect` has begun: a Swift one is a task.
  let mayBeEarly: Bool
  /// A full queue drops messages, and the node counts them.
  let drops: Bool
  private let state = Mutex(State())
  private let sheet: BalanceSheet

  init(key: UInt32, mayBeEarly: Bool, drops: Bool, sheet: BalanceSheet) {
    self.key = key
    self.mayBeEarly = mayBeEarly
    self.drops = drops
    self.sheet = sheet
  }

  func connected(_ id: UInt64, peer: EndKey?) -> String? {
    state.withLock { state in
      state.connects += 1
      guard !state.hasCrashed else { return afterCrash("on_connect") }
      var end = state.ends[id] ?? End()
      guard !end.isConnected else { return "on_connect ran twice for connection \(id)" }
      guard let peer else { return "connection \(id) is live, and its handshake gave no peer" }
      guard end.peer == nil || end.peer == peer else { return "connection \(id) changed its peer" }
      end.isConnected = true
      end.peer = peer
      state.ends[id] = end
      return nil
    }
  }

  func handled(_ id: UInt64, from sender: EndKey, lane: UInt8, number: UInt32) -> String? {
    state.withLock { state in
      guard !state.hasCrashed else { return afterCrash("a message hook") }
      guard var end = state.ends[id] ?? (mayBeEarly ? End() : nil) else {
        return "connection \(id) was handed message \(number) of \(sender) before on_connect or after on_disconnect"
      }
      let isBroadcast = lane == Lane.broadcast.rawValue
      if let peer = end.peer, isBroadcast ? sender.node != peer.node : sender != peer {
        return "connection \(id) of \(peer) was handed a message of \(sender)"
      }
      if !isBroadcast { end.peer = sender }
      let series: Series = isBroadcast ? .broadcast(code: sender.connection) : .sent
      let last = end.last[series] ?? 0
      guard number > last || !isBroadcast && sheet.mayRepeatNumbers(sender.node) else {
        return "connection \(id): message \(number) of \(sender) in lane \(lane) came after \(last)"
      }
      if !isBroadcast, number > last + 1, !drops, !sheet.missing(Int(number - last - 1), from: sender.node) {
        return "connection \(id): messages \(last + 1) to \(number - 1) of \(sender) are missing"
      }
      end.last[series] = number
      end.handled += 1
      state.handled += 1
      state.ends[id] = end
      return nil
    }
  }

  /// A task of Swift's may be on its way when the node is cut; a script is gone with it.
  private func afterCrash(_ hook: String) -> String? { mayBeEarly ? nil : "\(hook) ran after the crash" }

  func noteStateLoss() { sheet.noteStateLoss(key) }

  /// - Parameter sent: how many messages the engine has queued on it.
  func disconnected(_ id: UInt64, sent: Int) -> String? {
    let result: Result<End?, Wrong> = state.withLock { state in
      state.disconnects += 1
      if state.hasCrashed { return afterCrash("on_disconnect").map { .failure(Wrong(what: $0)) } ?? .success(nil) }
      guard let end = state.ends.removeValue(forKey: id), end.isConnected else {
        return .failure(Wrong(what: "on_disconnect without on_connect, or twice, for connection \(id)"))
      }
      return .success(end)
    }
    switch result {
    case .failure(let wrong): return wrong.what
    case .success(nil): return nil
    case .success(let end?):
      return sheet.ended(EndKey(node: key, connection: id), peer: end.peer!, sent: sent, handled: end.handled)
    }
  }

  private struct Wrong: Error { var what: String }

  /// It has been cut: its connections ended without a word.
  func crash() {
    let ends = state.withLock { state in
      defer { (state.ends, state.hasCrashed) = ([:], true) }
      return state.ends
    }
    for (id, end) in ends where end.peer != nil { sheet.crashed(EndKey(node: key, connection: id), peer: end.peer!) }
  }

  /// Those that hooks know of, by number.
  var ends: [UInt64: End] { state.withLock { $0.ends } }
  var handledCount: Int { state.withLock { $0.handled } }

  /// Once the node has stopped.
  var imbalance: String? {
    state.withLock { state in
      if state.hasCrashed { return nil }
      if !state.ends.isEmpty {
        return "no on_disconnect for connections, or messages after it: \(state.ends.map { "\($0): \($1)" }.sorted())"
      }
      return state.connects == state.disconnects
        ? nil : "on_connect ran \(state.connects) times, on_disconnect \(state.disconnects) times"
    }
  }

  /// How many connections it has had and lost.
  var pairs: Int { state.withLock { $0.disconnects } }
}
