import NodeCore

/// The hooks whose duration is measured, by the names scripts and metrics have for them.
public enum MeasuredHook: String, Sendable, CaseIterable {
  case initialise = "init"
  case handshake
  case onConnect = "on_connect"
  case processMessage = "process_message"
  case onDisconnect = "on_disconnect"
  case onShutdown = "on_shutdown"
  case session
  case call
  case timer
  case task
}

/// How long a node's hooks took, from their start to their end, waits included.
///
/// `process_message` is the exception, because nothing may be added to a message: every 16th read is timed, and counts as
/// one observation of what one of its messages took. A hook that waits is counted up to its first wait.
package final class HookTimes {
  private var histograms = Array(repeating: Histogram(bounds: Histogram.hookSeconds), count: MeasuredHook.allCases.count)
  private var readsUntilSample = 0
  private static let readsPerSample = 16

  init() {}

  /// Whether this read is one to be timed.
  @inline(__always)
  func takesRead() -> Bool {
    readsUntilSample -= 1
    guard readsUntilSample < 0 else { return false }
    readsUntilSample = Self.readsPerSample - 1
    return true
  }

  func note(_ hook: MeasuredHook, _ duration: Duration, messages: UInt64 = 1) {
    let index = MeasuredHook.allCases.firstIndex(of: hook)!
    histograms[index].observe(Double(duration.wholeNanoseconds) / 1e9 / Double(max(messages, 1)))
  }

  /// Those of the hooks that ran.
  var seen: [(hook: MeasuredHook, seconds: Histogram)] {
    zip(MeasuredHook.allCases, histograms).filter { $1.count > 0 }.map { (hook: $0, seconds: $1) }
  }
}

extension LocalNode {
  /// Starts a measurement, where somebody wants them: calling what it gives ends it.
  package func timing(_ hook: MeasuredHook) -> (() -> Void)? {
    guard let times = hookTimes else { return nil }
    let start = scheduler.now
    return { [scheduler] in times.note(hook, scheduler.now - start) }
  }
}

extension Connection {
  /// Hands what has arrived to the hooks, with a look at the clock before and after.
  @inline(never)
  func receiveTimed(_ times: HookTimes) {
    let start = node.scheduler.now
    let before = inbound.messagesReceived
    node.hooks.receive(self)
    let messages = inbound.messagesReceived - before
    if messages > 0 { times.note(.processMessage, node.scheduler.now - start, messages: messages) }
  }
}
