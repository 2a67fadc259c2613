import LuaHost
import NodeCore
import NodeEngine

/// `host.time`: the clock, the timers and the random numbers of this world.
enum HostTime {
  static let natives: [(String, LuaNative)] = [
    ("now", now), ("sleep", sleep), ("timer", timer), ("cancel_timer", cancelTimer), ("random", random),
  ]

  /// now() → seconds from an arbitrary start, never going back
  private static let now: LuaNative = { state in
    let call = LuaCall(state)
    let seconds = ScriptRuntime.of(call).scheduler.now.seconds
    return call.returns { $0.number(seconds) }
  }

  /// sleep(seconds) parks
  private static let sleep: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let delay = duration(call, 1) else { return call.raise("usage", "sleep: a duration in seconds is expected") }
    return runtime.park(call, "node:sleep") { wait in
      wait.line = .beginning
      // Only gives way: behind all that is due in this tick, tasks that were just started included.
      if delay == .zero {
        runtime.scheduler.defer { wait.resume { _ in } }
        return {}
      }
      let timer = runtime.scheduler.schedule(after: delay) { wait.resume { _ in } }
      return { timer.cancel() }
    }
  }

  /// timer(seconds, fn, name?) → id; fn runs as a task of its own when it is due; its errors say `timer name`
  private static let timer: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let delay = duration(call, 1), call.isFunction(2) else {
      return call.raise("usage", "timer: seconds and a function are expected")
    }
    guard let function = call.ref(2) else { return call.raise("budget", "not enough memory for a timer") }
    let purpose = call.string(3).map { RunPurpose("timer \($0)", holdsReload: true) } ?? .timer
    let origin = runtime.currentOrigin
    let id = runtime.timers.nextID()
    let scheduled = runtime.scheduler.schedule(after: delay) {
      // Until its turn comes it can be cancelled.
      runtime.turns.run(.beginning, callOff: { runtime.timers.remove(id).map { runtime.vm.release($0.function) } }) {
        guard let entry = runtime.timers.remove(id) else { return }
        runtime.run(entry, purpose)
        runtime.vm.release(entry.function)
      }
    }
    let isForeign = runtime.current?.isForeign ?? false
    runtime.timers.insert(.init(timer: scheduled, function: function, origin: origin, isForeign: isForeign), as: id)
    return call.returns { $0.integer(id) }
  }

  /// cancel_timer(id) → whether it was still to come
  private static let cancelTimer: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let id = call.integer(1), let entry = runtime.timers.remove(id) else {
      return call.returns { $0.boolean(false) }
    }
    entry.timer.cancel()
    runtime.vm.release(entry.function)
    return call.returnTrue()
  }

  /// random() → [0, 1); random(n) → 1…n; random(m, n) → m…n
  private static let random: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard call.argumentCount > 0 else {
      let value = Double.random(in: 0..<1, using: &runtime.generator)
      return call.returns { $0.number(value) }
    }
    let low = call.argumentCount > 1 ? call.integer(1) : 1
    guard let low, let high = call.integer(call.argumentCount > 1 ? 2 : 1) else {
      return call.raise("usage", "random: whole numbers are expected: random(), random(n) or random(m, n)")
    }
    guard low <= high else { return call.raise("usage", "random: the interval \(low)…\(high) is empty") }
    let value = Int64.random(in: low...high, using: &runtime.generator)
    return call.returns { $0.integer(value) }
  }

  /// The longest wait a script may ask for: a century, far inside what the clock can add up.
  static let longest = 100.0 * 366 * 86_400

  static func duration(_ call: LuaCall, _ index: Int32) -> Duration? {
    guard let seconds = call.number(index), seconds >= 0 else { return nil }
    return .nanoseconds(Int64(min(seconds, longest) * 1e9))
  }
}
