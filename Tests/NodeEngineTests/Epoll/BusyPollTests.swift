import CEpoll
import Foundation
import Testing

@testable import NodeEngine

/// When a loop looks for events awake before it sleeps.
@Suite struct BusyPollTests {
  /// So many of the waits after one large read begin awake.
  private func tries(_ poll: inout BusyPoll, waits: Int = 5, findsSomething: Bool) -> Int {
    poll.noteRead(BusyPoll.much)
    var tries = 0
    for _ in 0..<waits where poll.begin() {
      tries += 1
      var time: Int64 = 0
      _ = poll.look {
        time += BusyPoll.duration
        return time
      } _: {
        findsSomething ? 1 : 0
      }
    }
    return tries
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

  @Test func `It looks until something comes, or 50 microseconds are over`() {
    func looks(comesAfter: Int) -> (count: Int, looks: Int) {
      var poll = BusyPoll(chances: 1)
      var (time, looks) = (Int64(1_000_000), 0)
      let count = poll.look {
        defer { time += 10_000 }
        return time
      } _: {
        looks += 1
        return looks > comesAfter ? 3 : 0
      }
      return (count, looks)
    }
    #expect(looks(comesAfter: 0) == (3, 1))
    #expect(looks(comesAfter: 4) == (3, 5))
    #expect(looks(comesAfter: 5) == (0, 5))
  }

  @Test func `What ends in vain is not tried again before the next large read, and ever more seldom`() {
    var poll = BusyPoll(chances: 4)
    #expect(tries(&poll, findsSomething: false) == 1)
    // A pause of 1, 2, 4 chances and so on, of which each large read gives four.
    let later = (1..<120).filter { _ in tries(&poll, findsSomething: false) == 1 }
    #expect(later == [1, 2, 4, 7, 12, 21, 38, 55, 72, 89, 106])
  }

  @Test func `The parts of a burst do not make up for the pause after it; a stream without pauses does`() {
    func pauseAfter(finds: Int) -> Int {
      var poll = BusyPoll(chances: 1)
      for _ in 0..<1000 { _ = tries(&poll, findsSomething: false) }
      var left = finds
      while left > 0 { left -= tries(&poll, findsSomething: true) }
      while tries(&poll, findsSomething: false) == 0 {}
      return (0..<200).prefix { _ in tries(&poll, findsSomething: true) == 0 }.count
    }
    #expect(pauseAfter(finds: Int(BusyPoll.manyFinds) - 1) == Int(BusyPoll.longestPause))
    #expect(pauseAfter(finds: Int(BusyPoll.manyFinds)) == 1)
  }

  @Test func `It is for machines where another processor is free to bring something, and can be switched off`() {
    func chances(_ processors: Int, _ value: String?) -> UInt8 {
      BusyPoll.chances(processors: processors) { $0 == "MOONPEER_BUSY_POLL" ? value : "0" }
    }
    #expect(chances(2, nil) == BusyPoll.standardChances)
    #expect(chances(2, "1") == BusyPoll.standardChances)
    #expect(chances(1, nil) == 0)
    #expect(chances(2, "0") == 0)
    var off = BusyPoll(chances: 0)
    let tries = tries(&off, findsSomething: true)
    #expect(tries == 0)
    #expect((1...4096).contains(cepoll_processors()))
  }

  @Test func `A loop that reads much has chances, and the waits that follow use them`() async throws {
    let loops = EpollLoops(count: 1)
    let loop = loops.first
    var fresh = BusyPoll()
    fresh.noteRead(BusyPoll.much)
    let before = await withCheckedContinuation { done in
      loop.execute {
        loop.noteRead(BusyPoll.much)
        done.resume(returning: loop.events.busyPoll.chances)
      }
    }
    #expect(before == fresh.chances)
    try await eventually("they are used") {
      await withCheckedContinuation { done in loop.execute { done.resume(returning: loop.events.busyPoll.chances == 0) } }
    }
    await loops.shutDown()
  }

  /// An epoll with an eventfd in it.
  private final class Watched {
    let epoll = cepoll_create()
    let signal = cepoll_eventfd()
    var events: ReadyEvents

    init(chances: UInt8) throws {
      events = ReadyEvents(epoll, BusyPoll(chances: chances))
      try #require(cepoll_add(epoll, signal, CEPOLL_IN, 7) == 0)
    }

    deinit {
      events.deallocate()
      close(epoll)
      close(signal)
    }

    /// Until there is something, or a second wait is over too: the first may have been awake. Other tests' signals end waits.
    func wait(_ time: Int32) -> Int {
      for attempt in 0... {
        let count = events.wait(time)
        if count > 0 || count == 0 && attempt > 0 { return count }
      }
      return 0
    }
  }

  @Test(arguments: [UInt8(0), 200])
  func `Events are found, and waits end in time, whether a wait begins awake or not`(chances: UInt8) throws {
    let watched = try Watched(chances: chances)
    for _ in 0..<50 {
      watched.events.noteRead(BusyPoll.much)
      let start = EpollLoop.clock()
      let counts = [watched.events.wait(0), watched.wait(1)]
      #expect(counts == [0, 0])
      #expect(EpollLoop.clock() - start >= 1_000_000)
      watched.events.noteRead(BusyPoll.much)
      cepoll_signal(watched.signal)
      let count = watched.wait(-1)
      try #require(count == 1)
      #expect(watched.events[0].data == 7 && watched.events[0].events & CEPOLL_IN != 0)
    }
  }

  @Test func `What comes while the loop is awake, and what comes once it sleeps, both wake it`() throws {
    let watched = try Watched(chances: 4)
    let signal = watched.signal
    let rounds = 200
    let (next, isOver) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    // Another thread answers each turn with a signal, now at once, now later than anybody stays awake.
    Thread.detachNewThread {
      for round in 0..<rounds {
        guard next.wait(timeout: .now() + 30) == .success else { break }
        let end = EpollLoop.clock() + (round.isMultiple(of: 2) ? 0 : 2 * BusyPoll.duration)
        while EpollLoop.clock() < end {}
        cepoll_signal(signal)
      }
      isOver.signal()
    }
    var found = 0
    for _ in 0..<rounds {
      watched.events.noteRead(BusyPoll.much)
      next.signal()
      found += watched.wait(10_000)
    }
    #expect(isOver.wait(timeout: .now() + 60) == .success)
    #expect(found == rounds)
  }
}
