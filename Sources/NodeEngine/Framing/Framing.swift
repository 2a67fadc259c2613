import Glibc

/// How a stream of bytes is cut into messages, in both directions.
public struct Framing: Sendable, Hashable {
  /// Bytes of a length.
  public enum Width: Int, Sendable, Hashable, CaseIterable {
    case one = 1, two = 2, three = 3, four = 4, eight = 8
    /// Unsigned LEB128, at most ten bytes.
    case varint = 0
  }

  /// The byte order of a length.
  public enum Endian: Sendable, Hashable { case big, little }

  /// How the end of a message is found.
  public enum Kind: Sendable, Hashable {
    /// Chunks as they come.
    case bytes
    /// Up to a delimiter, which is not part of the message.
    case lines(delimiter: [UInt8])
    /// A length, then so many bytes; `includesHeader`: the length counts its own bytes.
    case lengthPrefixed(Width, Endian, includesHeader: Bool)
    /// Each so many bytes long.
    case fixed(Int)
    /// The hooks cut and encode by themselves; what is sent goes out as it is.
    case external
  }

  /// How the end of a message is found.
  public var kind: Kind
  /// The largest message, in bytes.
  public var max: Int

  /// `max`: the largest message in bytes; a longer one breaks the connection.
  public init(_ kind: Kind, max: Int = 1 << 20) {
    self.kind = kind
    self.max = max
  }

  /// Why nothing could be cut with it, or nil.
  public var problem: String? {
    if max < 1 || max > Self.largest { return "a codec's max is 1 to \(Self.largest) bytes, got \(max)" }
    switch kind {
    case .lines(let delimiter) where delimiter.isEmpty: return "a line's delimiter cannot be empty"
    case .fixed(let size) where size < 1 || size > max: return "a fixed size is 1 to max (\(max)) bytes, got \(size)"
    default: return nil
    }
  }

  /// The `max` where frames are a big-endian length of four bytes and the message, the framing with a path of its own; nil
  /// for any other.
  var plainMax: Int? {
    if case .lengthPrefixed(.four, .big, false) = kind { min(max, Int(UInt32.max)) } else { nil }
  }

  /// Whether the front of a frame says how long it is.
  var saysLength: Bool {
    switch kind {
    case .lengthPrefixed, .fixed: true
    case .bytes, .lines, .external: false
    }
  }

  /// Far over any memory, and sums with it do not overflow.
  static let largest = 1 << 40

  /// Chunks as they come, up to 1 MiB.
  public static let bytes = Framing(.bytes)
  /// Messages that end with a delimiter of at least one byte; by default a line feed.
  public static func lines(delimiter: [UInt8] = [10], max: Int = 1 << 20) -> Framing {
    Framing(.lines(delimiter: delimiter), max: max)
  }
  /// Messages behind their length; by default 4 bytes, big-endian.
  public static func lengthPrefixed(
    _ width: Width = .four, _ endian: Endian = .big, includesHeader: Bool = false, max: Int = 1 << 20
  ) -> Framing { Framing(.lengthPrefixed(width, endian, includesHeader: includesHeader), max: max) }
  /// Messages of `size` bytes each, at least 1.
  public static func fixed(_ size: Int) -> Framing { Framing(.fixed(size), max: size) }

  /// Why a message of that size cannot be framed, or nil.
  func problem(sending count: Int) -> String? {
    if count > max { return "a message of \(count) bytes is over the codec's max of \(max)" }
    switch kind {
    case .fixed(let size) where size != count: return "the codec takes messages of exactly \(size) bytes, got \(count)"
    case .lengthPrefixed(let width, _, let includesHeader) where width != .varint && width != .eight:
      let total = includesHeader ? count + width.rawValue : count
      let most = 1 << (8 * width.rawValue) - 1
      if total > most { return "a message of \(count) bytes does not fit a length of \(width.rawValue) bytes" }
      return nil
    default: return nil
    }
  }
}

/// What cutting the front of a buffer came to.
enum Cut: Equatable {
  /// The message is `bytes[start ..< start + count]`; `total` bytes are used up.
  case frame(start: Int, count: Int, total: Int)
  /// At least that many bytes are needed in all.
  case need(Int)
  case invalid(String)
}

extension Framing {
  /// Cuts the first message off; `searched` bytes are known to hold no delimiter.
  @inline(__always)
  func cut(_ bytes: UnsafeRawBufferPointer, searched: Int) -> Cut {
    switch kind {
    case .lengthPrefixed(.four, .big, false):
      guard bytes.count >= 4 else { return .need(4) }
      let count = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
      guard count <= max else { return tooLong(count) }
      return bytes.count >= count + 4 ? .frame(start: 4, count: count, total: count + 4) : .need(count + 4)
    case .lengthPrefixed(let width, let endian, let includesHeader):
      return cutPrefixed(bytes, width, endian, includesHeader)
    case .bytes:
      guard !bytes.isEmpty else { return .need(1) }
      let count = min(bytes.count, max)
      return .frame(start: 0, count: count, total: count)
    case .fixed(let size):
      return bytes.count >= size ? .frame(start: 0, count: size, total: size) : .need(size)
    case .lines(let delimiter): return cutLine(bytes, delimiter, searched)
    case .external: return .need(bytes.count + 1)
    }
  }

  private func tooLong(_ count: Int) -> Cut {
    .invalid("a frame declares \(count) bytes, over the codec's max of \(max)")
  }

  private func cutPrefixed(_ bytes: UnsafeRawBufferPointer, _ width: Width, _ endian: Endian, _ includesHeader: Bool) -> Cut {
    var value: UInt64 = 0
    var header = width.rawValue
    if width == .varint {
      while true {
        guard header < bytes.count else { return .need(header + 1) }
        let byte = bytes[header]
        guard header < 9 || byte <= 1 else { return .invalid("a varint length is over 64 bits") }
        value |= UInt64(byte & 0x7F) << (7 * header)
        header += 1
        if byte < 0x80 {
          // 0x80 0x00 for 0: a second spelling of one length is how filters are fooled.
          if header > 1, byte == 0 { return .invalid("a varint length is not in its shortest form") }
          break
        }
      }
    } else {
      guard bytes.count >= header else { return .need(header) }
      for index in 0..<header {
        let byte = UInt64(bytes[endian == .big ? index : header - 1 - index])
        value = value << 8 | byte
      }
    }
    guard value <= UInt64(Int.max / 2) else { return .invalid("a frame declares \(value) bytes, over the codec's max of \(max)") }
    var count = Int(value)
    if includesHeader {
      guard count >= header else { return .invalid("a length of \(count) does not cover its own header of \(header) bytes") }
      count -= header
    }
    guard count <= max else { return tooLong(count) }
    let total = header + count
    return bytes.count >= total ? .frame(start: header, count: count, total: total) : .need(total)
  }

  private func cutLine(_ bytes: UnsafeRawBufferPointer, _ delimiter: [UInt8], _ searched: Int) -> Cut {
    let from = Swift.max(0, searched - delimiter.count + 1)
    if let index = bytes.firstIndex(of: delimiter, from: from) {
      guard index <= max else { return .invalid("a line of \(index) bytes is over the codec's max of \(max)") }
      return .frame(start: 0, count: index, total: index + delimiter.count)
    }
    guard bytes.count < max + delimiter.count else { return .invalid("a line is over the codec's max of \(max) bytes") }
    return .need(bytes.count + 1)
  }
}

extension UnsafeRawBufferPointer {
  /// Where `pattern` first stands at or after `start`, counted from the beginning of the buffer.
  package func firstIndex(of pattern: [UInt8], from start: Int) -> Int? {
    var index = start
    let last = count - pattern.count
    while index <= last, let base = baseAddress {
      guard let hit = memchr(base + index, Int32(pattern[0]), last - index + 1) else { return nil }
      let next = UnsafeRawPointer(hit) - base
      if pattern.count == 1 || pattern.indices.allSatisfy({ self[next + $0] == pattern[$0] }) { return next }
      index = next + 1
    }
    return nil
  }
}
