import LuaHost
import NodeEngine

/// The timers a script has running, by the number it knows them by.
struct TimerTable {
  private struct Entry {
    var timer: any ScheduledTimer
    var function: LuaRef
  }

  private var entries: [Int64: Entry] = [:]
  private var last: Int64 = 0

  var count: Int { entries.count }

  mutating func nextID() -> Int64 {
    last += 1
    return last
  }

  mutating func insert(_ timer: any ScheduledTimer, function: LuaRef, as id: Int64) {
    entries[id] = Entry(timer: timer, function: function)
  }

  /// Takes a timer out, because it fired or was cancelled; nil if it is gone already.
  mutating func remove(_ id: Int64) -> (timer: any ScheduledTimer, function: LuaRef)? {
    entries.removeValue(forKey: id).map { ($0.timer, $0.function) }
  }

  mutating func cancelAll() {
    for id in entries.keys.sorted() { entries[id]?.timer.cancel() }
    entries.removeAll()
  }
}
