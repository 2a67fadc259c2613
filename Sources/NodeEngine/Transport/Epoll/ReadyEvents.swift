import CEpoll

/// What epoll tells, and the wait for it.
struct ReadyEvents {
  private static let capacity: Int32 = 256

  private let epoll: Int32
  private let found = UnsafeMutablePointer<cepoll_event>.allocate(capacity: Int(capacity))
  private var busyPoll: BusyPoll

  init(_ epoll: Int32, _ busyPoll: BusyPoll = BusyPoll()) {
    self.epoll = epoll
    self.busyPoll = busyPoll
  }

  func deallocate() { found.deallocate() }

  subscript(index: Int) -> cepoll_event { found[index] }

  /// A socket has brought so much.
  @inline(__always)
  mutating func noteRead(_ count: Int) { busyPoll.noteRead(count) }

  /// Asleep, or awake at first: see ``BusyPoll``.
  ///
  /// - Parameter time: in milliseconds; -1: until something happens; 0: not at all.
  /// - Returns: how many there are; below 0 where a signal came.
  mutating func wait(_ time: Int32) -> Int {
    guard time != 0, busyPoll.begin() else { return look(time) }
    let end = EpollLoop.clock() + BusyPoll.duration
    repeat {
      let count = look(0)
      guard count == 0 else {
        busyPoll.found()
        return count
      }
    } while EpollLoop.clock() < end
    busyPoll.foundNothing()
    return look(time)
  }

  private func look(_ time: Int32) -> Int { Int(cepoll_wait(epoll, found, Self.capacity, time)) }
}
