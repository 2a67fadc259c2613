import Glibc

/// Bytes that are taken from the front and added at the back. Keeps its memory until told to let go of it.
struct Bytes: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private var capacity = 0
  private var start = 0
  private(set) var count = 0

  /// A buffer of up to this size is kept while it is empty, for the next few messages.
  private static let keep = 4096

  deinit { free(base) }

  var view: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + start) }, count: count)
  }

  @inline(__always)
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    memcpy(room(bytes.count), source, bytes.count)
  }

  /// Makes place for more bytes and counts them in; the caller fills them.
  @inline(__always)
  mutating func room(_ more: Int) -> UnsafeMutableRawPointer {
    if start + count + more > capacity { grow(more) }
    let place = base.unsafelyUnwrapped + start + count
    count += more
    return place
  }

  private mutating func grow(_ more: Int) {
    if count + more <= capacity {
      memmove(base!, base! + start, count)
      start = 0
      return
    }
    var size = max(capacity, 512)
    while size < count + more { size *= 2 }
    let fresh = malloc(size)!
    if let base { memcpy(fresh, base + start, count) }
    free(base)
    base = fresh
    capacity = size
    start = 0
  }

  mutating func removeFirst(_ amount: Int) {
    precondition(amount <= count)
    start += amount
    count -= amount
    if count == 0 { start = 0 }
  }

  /// Takes `amount` bytes at `offset` out of the middle.
  mutating func remove(at offset: Int, _ amount: Int) {
    memmove(base! + start + offset, base! + start + offset + amount, count - offset - amount)
    count -= amount
  }

  mutating func removeAll() {
    start = 0
    count = 0
  }

  /// Whether there is memory that ``releaseIfIdle()`` would give back.
  var isLarge: Bool { capacity > Self.keep }

  /// Whether there is more of it than ticks of many messages make: some message was large by itself.
  var isHuge: Bool { capacity > 4 << 20 }

  /// Gives large memory back where nothing is in it.
  mutating func releaseIfIdle() {
    guard count == 0, capacity > Self.keep else { return }
    free(base)
    base = nil
    capacity = 0
    start = 0
  }
}
