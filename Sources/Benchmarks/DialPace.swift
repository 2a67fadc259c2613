/// How far dials may be ahead of what a node has let in. What its listen queue does not hold the kernel tries again after a
/// second, and a figure with such seconds in it says nothing of the node.
struct DialPace {
  /// Well under the queue of the nodes that are measured.
  static let window = 1024
  /// What the dialing process was told last.
  private(set) var told = 0

  /// The node has let in so many; whether that is news for the dialing process. Not each is, so that one that is done dialing
  /// is not written to for ever.
  mutating func isNews(_ taken: Int) -> Bool {
    guard taken - told >= Self.window / 8 else { return false }
    told = taken
    return true
  }

  /// Whether there is room for one more behind `dialed`.
  static func mayDial(after dialed: Int, taken: Int) -> Bool { dialed - taken < window }
}
