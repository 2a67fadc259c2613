import LuaHost
import NodeEngine

/// The timers a script has running, by the number it knows them by.
struct TimerTable {
  private struct Entry {
    var timer: any ScheduledTimer
    var function: LuaRef
    /// Whose run made it; nil: nobody's.
    var origin: ConnectionScript?
  }

  private var entries: [Int64: Entry] = [:]
  private var last: Int64 = 0

  var count: Int { entries.count }

  mutating func nextID() -> Int64 {
    last += 1
    return last
  }

  mutating func insert(_ timer: any ScheduledTimer, function: LuaRef, origin: ConnectionScript?, as id: Int64) {
    entries[id] = Entry(timer: timer, function: function, origin: origin)
  }

  /// Takes a timer out, because it fired or was cancelled; nil if it is gone already.
  mutating func remove(_ id: Int64) -> (timer: any ScheduledTimer, function: LuaRef, origin: ConnectionScript?)? {
    entries.removeValue(forKey: id).map { ($0.timer, $0.function, $0.origin) }
  }

  mutating func cancelAll() {
    _ = cancel { _ in true }
  }

  /// Cancels those of certain origins; what they would have run.
  mutating func cancel(_ isToEnd: (ConnectionScript?) -> Bool) -> [LuaRef] {
    let ending = entries.filter { isToEnd($0.value.origin) }.sorted { $0.key < $1.key }
    for (id, entry) in ending {
      entry.timer.cancel()
      entries[id] = nil
    }
    return ending.map(\.value.function)
  }
}
