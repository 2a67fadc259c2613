import Glibc
import Testing

@testable import MoonpeerCLI

@Suite(.timeLimit(.minutes(2))) struct SignalTests {
  @Test func `A SIGHUP that comes as soon as they are watched for is not lost`() async throws {
    let (hangups, noted) = AsyncStream<Void>.makeStream()
    try Hangups.watch { noted.yield() }
    kill(getpid(), SIGHUP)
    for await _ in hangups { break }
  }
}
