/// Something with a descriptor that an ``EpollLoop`` watches. Used on the loop only.
///
/// A class to inherit from, not a protocol: one call through a table per event, and nothing to unwrap.
class EpollSource {
  final let loop: EpollLoop
  final let descriptor: Int32
  /// Where the loop keeps it; -1 while it does not.
  @exclusivity(unchecked) final var slot = -1
  /// In the loop's list of those that go on in the next tick.
  @exclusivity(unchecked) final var isAgain = false

  init(_ loop: EpollLoop, _ descriptor: Int32) {
    self.loop = loop
    self.descriptor = descriptor
  }

  /// What epoll tells of the descriptor. Each change is told once (edge-triggered), so it must be remembered.
  func ready(_ events: UInt32) {}
  /// Goes on, after everybody else had a turn.
  func again() {}
  /// The loop is over, and with it every socket on it.
  func loopEnded() {}
}
