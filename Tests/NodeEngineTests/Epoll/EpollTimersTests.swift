import Testing

@testable import NodeEngine

/// The heap of timers, without a loop.
@Suite struct EpollTimersTests {
  private final class Noted {
    var names: [Int] = []
  }

  @Test func `They run by time, and by order where the time is the same`() {
    let timers = EpollTimers()
    let noted = Noted()
    for (name, time) in [5, 3, 9, 3, 1, 7, 3].enumerated() {
      _ = timers.add(at: Int64(time)) { noted.names.append(name) }
    }
    timers.run(until: 3)
    #expect(noted.names == [4, 1, 3, 6])
    #expect(timers.next == 5)
    timers.run(until: 100)
    #expect(noted.names == [4, 1, 3, 6, 0, 5, 2])
    #expect(timers.next == nil)
  }

  @Test func `A cancelled one does not run, and lets go of its action at once`() {
    let timers = EpollTimers()
    var thing: Noted? = Noted()
    weak let watched = thing
    let timer = timers.add(at: 1) { [thing] in thing?.names.append(1) }
    thing = nil
    #expect(watched != nil)
    timer.cancel()
    timer.cancel()
    #expect(watched == nil)
    #expect(timers.next == nil)
  }

  @Test func `One that cancels another and adds a third: the third waits for its turn`() {
    let timers = EpollTimers()
    let noted = Noted()
    var second: EpollTimer?
    _ = timers.add(at: 1) {
      noted.names.append(1)
      second?.cancel()
      _ = timers.add(at: 1) { noted.names.append(3) }
    }
    second = timers.add(at: 2) { noted.names.append(2) }
    timers.run(until: 2)
    #expect(noted.names == [1])
    timers.run(until: 2)
    #expect(noted.names == [1, 3])
  }

  @Test func `Those that are cancelled take no room for long`() {
    let timers = EpollTimers()
    let kept = (0..<10).map { timers.add(at: Int64(1000 + $0)) {} }
    for round in 0..<10_000 { timers.add(at: Int64(2000 + round)) {}.cancel() }
    #expect(timers.count < 200)
    #expect(timers.next == 1000)
    for timer in kept { timer.cancel() }
    #expect(timers.next == nil)
  }
}
