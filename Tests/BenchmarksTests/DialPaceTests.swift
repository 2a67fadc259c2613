import Testing

@testable import Benchmarks

@Suite struct `The pace of dials` {
  @Test(arguments: [1, 7, 100, 1000, 5000])
  func `dials stay within the window of what was let in, and come to their end`(step: Int) {
    var pace = DialPace()
    var (dialed, taken, rounds) = (0, 0, 0)
    let count = 20_000
    while taken < count, rounds < 2 * count {
      rounds += 1
      while dialed < count, DialPace.mayDial(after: dialed, taken: pace.told) { dialed += 1 }
      #expect(dialed - taken <= DialPace.window)
      taken = min(taken + step, dialed)
      _ = pace.isNews(taken)
    }
    #expect(taken == count)
  }

  @Test func `a dialing process that is done is told little`() {
    var pace = DialPace()
    let words = (1...10_000).count { pace.isNews($0) }
    #expect(words == 10_000 / (DialPace.window / 8))
  }
}
