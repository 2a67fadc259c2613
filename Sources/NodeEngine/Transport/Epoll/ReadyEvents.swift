import CEpoll

/// What epoll tells, and the wait for it.
struct ReadyEvents {
  private static let capacity: Int32 = 256

  private let epoll: Int32
  private let events = UnsafeMutablePointer<cepoll_event>.allocate(capacity: Int(capacity))
  private(set) var busyPoll: BusyPoll

  init(_ epoll: Int32, _ busyPoll: BusyPoll = BusyPoll()) {
    self.epoll = epoll
    self.busyPoll = busyPoll
  }

  func deallocate() { events.deallocate() }

  subscript(index: Int) -> cepoll_event { events[index] }

  /// A socket has brought so much.
  @inline(__always)
  mutating func noteRead(_ count: Int) { busyPoll.noteRead(count) }

  /// Asleep, or for a short while awake: see ``BusyPoll``.
  ///
  /// - Parameter time: in milliseconds; -1: until something happens; 0: not at all.
  /// - Returns: how many there are; 0 also where it stayed awake in vain, since what is left of the time is less by then; below 0
  ///   where a signal came.
  mutating func wait(_ time: Int32) -> Int {
    guard time != 0, busyPoll.begin() else { return look(time) }
    let (epoll, events) = (epoll, events)
    return busyPoll.look(clock: EpollLoop.clock) { Int(cepoll_wait(epoll, events, Self.capacity, 0)) }
  }

  private func look(_ time: Int32) -> Int { Int(cepoll_wait(epoll, events, Self.capacity, time)) }
}
