/// A loop's timers: a heap by time, in which a cancelled one stays until it comes to the top, or until half are such.
final class EpollTimers {
  private struct Entry {
    var deadline: Int64
    /// Decides between equal times: first made, first run.
    var order: UInt64
    var timer: EpollTimer

    static func < (a: Entry, b: Entry) -> Bool { (a.deadline, a.order) < (b.deadline, b.order) }
  }

  @exclusivity(unchecked) private var heap: [Entry] = []
  @exclusivity(unchecked) private var lastOrder: UInt64 = 0
  @exclusivity(unchecked) private var cancelled = 0

  /// How many places are taken, by cancelled ones too.
  var count: Int { heap.count }

  func add(at deadline: Int64, _ action: @escaping () -> Void) -> EpollTimer {
    lastOrder += 1
    let timer = EpollTimer(self, action)
    heap.append(Entry(deadline: deadline, order: lastOrder, timer: timer))
    rise(heap.count - 1)
    return timer
  }

  /// When the next one is due; nil: never.
  var next: Int64? {
    while let first = heap.first, first.timer.action == nil {
      cancelled -= 1
      removeFirst()
    }
    return heap.first?.deadline
  }

  /// Runs those that are due; what they add waits for the next call, even where it is due too.
  func run(until now: Int64) {
    let last = lastOrder
    while let deadline = next, deadline <= now, heap[0].order <= last {
      let timer = heap[0].timer
      removeFirst()
      let action = timer.action
      timer.action = nil
      action?()
    }
  }

  func removeAll() {
    for entry in heap { entry.timer.action = nil }
    heap = []
    cancelled = 0
  }

  fileprivate func noteCancelled() {
    cancelled += 1
    guard cancelled > 64, cancelled > heap.count / 2 else { return }
    heap.removeAll { $0.timer.action == nil }
    cancelled = 0
    for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  private func removeFirst() {
    let last = heap.removeLast()
    guard !heap.isEmpty else { return }
    heap[0] = last
    sink(0)
  }

  private func rise(_ start: Int) {
    var index = start
    while index > 0, heap[index] < heap[(index - 1) / 2] {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private func sink(_ start: Int) {
    var index = start
    while true {
      var least = index
      let left = 2 * index + 1
      if left < heap.count, heap[left] < heap[least] { least = left }
      if left + 1 < heap.count, heap[left + 1] < heap[least] { least = left + 1 }
      guard least != index else { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}

/// One timer of a loop; its action goes as soon as it is cancelled.
final class EpollTimer: ScheduledTimer {
  private let timers: EpollTimers
  @exclusivity(unchecked) fileprivate var action: (() -> Void)?

  fileprivate init(_ timers: EpollTimers, _ action: @escaping () -> Void) {
    self.timers = timers
    self.action = action
  }

  func cancel() {
    guard action != nil else { return }
    action = nil
    timers.noteCancelled()
  }
}
