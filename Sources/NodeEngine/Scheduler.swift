public import NodeCore

/// A point in time of one world, counted from an arbitrary start.
public struct MonotonicTime: Sendable, Hashable, Comparable {
  /// Since that start.
  public var nanoseconds: Int64
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  /// Since that start.
  public var seconds: Double { Double(nanoseconds) / 1e9 }
  public static func < (a: MonotonicTime, b: MonotonicTime) -> Bool { a.nanoseconds < b.nanoseconds }
  public static func + (a: MonotonicTime, b: Duration) -> MonotonicTime {
    MonotonicTime(nanoseconds: a.nanoseconds + b.wholeNanoseconds)
  }
  public static func - (a: MonotonicTime, b: MonotonicTime) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}

extension Duration {
  package var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}

/// Something that is to happen later and may be called off.
public protocol ScheduledTimer {
  /// It will not happen; too late or twice is harmless.
  func cancel()
}

/// Time and order for the nodes on one loop: the real one, or a simulated world's.
///
/// Nothing above it reads a clock, draws a random number or starts a task by other means, which is what makes a
/// simulated world repeatable. All but `execute` and `startTask` is called on the loop.
public protocol Scheduler: AnyObject, Sendable {
  /// The loop as the executor of the actors that live on it.
  var executor: any SerialExecutor { get }
  /// Never goes back.
  var now: MonotonicTime { get }
  /// Seconds since 1970 as this world has them.
  var wallClock: Double { get }
  @discardableResult
  func schedule(after delay: Duration, _ action: @escaping () -> Void) -> any ScheduledTimer
  /// Later in this tick, in the order given.
  func `defer`(_ action: @escaping () -> Void)
  /// In one of the loop's later turns: when it has looked for what sockets have, and others have had theirs. In the order
  /// given.
  func giveWay(_ action: @escaping () -> Void)
  /// How often the loop has looked for what sockets have; always 0 where it does not tell.
  var turn: UInt64 { get }
  /// On the loop, from any thread.
  func execute(_ action: @escaping @Sendable () -> Void)
  @discardableResult
  func startTask(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never>
  /// Random numbers for one purpose.
  func makeGenerator(purpose: String) -> SeededGenerator
}

extension Scheduler {
  public func giveWay(_ action: @escaping () -> Void) { self.defer(action) }
  public var turn: UInt64 { 0 }
}
