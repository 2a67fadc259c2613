/// The sources that a loop watches, by the number that epoll tells of them.
///
/// Used on the loop only.
struct SourceTable {
  private struct Slot {
    var source: EpollSource?
    /// Tells an event for a source that is gone from one for the next source in its place.
    var generation: UInt32 = 0
  }

  private var slots: [Slot] = []
  private var free: [Int] = []

  /// The place of the next source, and what epoll is to say of it.
  mutating func reserve() -> (slot: Int, data: UInt64) {
    let slot = free.popLast() ?? slots.count
    if slot == slots.count { slots.append(Slot()) }
    return (slot, UInt64(slots[slot].generation) << 32 | UInt64(slot))
  }

  /// It is not to be one after all.
  mutating func giveBack(_ slot: Int) { free.append(slot) }

  mutating func put(_ source: EpollSource, at slot: Int) {
    slots[slot].source = source
    source.slot = slot
  }

  /// Another source for the same descriptor.
  mutating func replace(_ old: EpollSource, with new: EpollSource) {
    put(new, at: old.slot)
    old.slot = -1
  }

  mutating func forget(_ source: EpollSource) {
    slots[source.slot].source = nil
    slots[source.slot].generation &+= 1
    free.append(source.slot)
    source.slot = -1
  }

  /// What epoll tells of; nil where that is gone.
  func source(_ data: UInt64) -> EpollSource? {
    let slot = slots[Int(data & 0xFFFF_FFFF)]
    return UInt64(slot.generation) == data >> 32 ? slot.source : nil
  }

  var first: EpollSource? { slots.lazy.compactMap(\.source).first }
}
