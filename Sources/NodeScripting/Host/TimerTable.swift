import LuaHost
import NodeEngine

/// The timers a script has running, by the number it knows them by.
struct TimerTable {
  struct Entry {
    var timer: any ScheduledTimer
    var function: LuaRef
    /// Whose run made it; nil: nobody's.
    var origin: ConnectionScript?
    /// Made by code that is not the script's own.
    var isForeign: Bool
  }

  private var entries: [Int64: Entry] = [:]
  private var last: Int64 = 0

  var count: Int { entries.count }

  mutating func nextID() -> Int64 {
    last += 1
    return last
  }

  mutating func insert(_ entry: Entry, as id: Int64) { entries[id] = entry }

  /// Takes a timer out, because it fired or was cancelled; nil if it is gone already.
  mutating func remove(_ id: Int64) -> Entry? { entries.removeValue(forKey: id) }

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
