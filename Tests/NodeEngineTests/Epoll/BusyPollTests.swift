import CEpoll
import Foundation
import Testing

@testable import NodeEngine

/// When a loop looks for events awake before it sleeps.
@Suite struct BusyPollTests {
  /// So many of the waits after one large read begin awake.
  private func looks(_ poll: inout BusyPoll, waits: Int = 10, findsSomething: Bool) -> Int {
    poll.noteRead(BusyPoll.much)
    var looks = 0
    for _ in 0..<waits where poll.begin() {
      looks += 1
      if findsSomething { poll.found() } else { poll.foundNothing() }
    }
    return looks
  }

  @Test func `A large read gives the next few waits a chance, and a small one none`() {
    var poll = BusyPoll(chances: 4)
    var begins = [poll.begin()]
    poll.noteRead(BusyPoll.much - 1)
    begins.append(poll.begin())
    poll.noteRead(BusyPoll.much)
    for _ in 0..<5 { begins.append(poll.begin()) }
    poll.noteRead(1)
    begins.append(poll.begin())
    #expect(begins == [false, false, true, true, true, true, false, false])
  }

  @Test func `What ends in vain is not tried again before the next large read, and ever more seldom`() {
    var poll = BusyPoll(chances: 1)
    let tries = (0..<400).filter { _ in looks(&poll, findsSomething: false) == 1 }
    #expect(tries == [0, 2, 5, 10, 19, 36, 69, 134, 199, 264, 329, 394])
    // One that finds something makes up for all: the next in vain is as the first.
    while looks(&poll, findsSomething: true) == 0 {}
    let after = (0..<10).filter { _ in looks(&poll, findsSomething: false) == 1 }
    #expect(after == [0, 2, 5])
  }

  @Test func `It is for machines where another processor is free to bring something, and can be switched off`() {
    #expect(BusyPoll.chances(processors: 2, setting: nil) == BusyPoll.standardChances)
    #expect(BusyPoll.chances(processors: 2, setting: "1") == BusyPoll.standardChances)
    #expect(BusyPoll.chances(processors: 1, setting: nil) == 0)
    #expect(BusyPoll.chances(processors: 2, setting: "0") == 0)
    var off = BusyPoll(chances: 0)
    let looks = looks(&off, findsSomething: true)
    #expect(looks == 0)
    #expect((1...4096).contains(cepoll_processors()))
  }

  /// Other tests' signals end a wait early.
  private func wait(_ events: inout ReadyEvents, _ time: Int32) -> Int {
    var count = -1
    while count < 0 { count = events.wait(time) }
    return count
  }

  @Test(arguments: [UInt8(0), 200])
  func `Events are found, and waits end in time, whether a wait begins awake or not`(chances: UInt8) throws {
    let epoll = cepoll_create()
    let signal = cepoll_eventfd()
    try #require(epoll >= 0 && signal >= 0)
    var events = ReadyEvents(epoll, BusyPoll(chances: chances))
    defer {
      events.deallocate()
      close(epoll)
      close(signal)
    }
    try #require(cepoll_add(epoll, signal, CEPOLL_IN, 7) == 0)
    for _ in 0..<100 {
      events.noteRead(BusyPoll.much)
      // In vain: awake first, and then asleep until the time is over.
      let start = EpollLoop.clock()
      let counts = [wait(&events, 0), wait(&events, 1)]
      #expect(counts == [0, 0])
      #expect(EpollLoop.clock() - start >= 1_000_000)
      events.noteRead(BusyPoll.much)
      cepoll_signal(signal)
      let count = wait(&events, -1)
      try #require(count == 1)
      #expect(events[0].data == 7 && events[0].events & CEPOLL_IN != 0)
    }
  }

  @Test func `What comes while the loop is awake, and what comes once it sleeps, both wake it`() throws {
    let epoll = cepoll_create()
    let signal = cepoll_eventfd()
    let answer = cepoll_eventfd()
    var events = ReadyEvents(epoll, BusyPoll(chances: 4))
    try #require(cepoll_add(epoll, signal, CEPOLL_IN, 7) == 0)
    // Another thread answers each turn with a signal, now at once, now later than anybody stays awake.
    let rounds = 200
    Thread.detachNewThread {
      for round in 0..<rounds {
        var count: UInt64 = 0
        while read(answer, &count, 8) < 0 {}
        let end = EpollLoop.clock() + (round.isMultiple(of: 2) ? 0 : 2 * BusyPoll.duration)
        while EpollLoop.clock() < end {}
        cepoll_signal(signal)
      }
    }
    defer {
      events.deallocate()
      for descriptor in [epoll, signal, answer] { close(descriptor) }
    }
    for _ in 0..<rounds {
      cepoll_signal(answer)
      events.noteRead(BusyPoll.much)
      let count = wait(&events, 10_000)
      try #require(count == 1)
    }
  }
}
