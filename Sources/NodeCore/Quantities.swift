/// Durations as people write them: `250ms`, `3s`, `2m`, `1h`, `100us`, or seconds as a number.
public enum DurationText {
  private static let units: [(String, Double)] = [
    ("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400),
  ]
  /// A century: far inside what a clock can add up.
  static let longest = 100.0 * 366 * 86_400

  /// Reads a number with a unit; without one it is seconds.
  ///
  /// - Throws: code `duration`, with what was expected.
  public static func parse(_ text: String) throws(NodeCoreError) -> Duration {
    let (number, unit) = split(text)
    let factor = unit.isEmpty ? 1 : units.first { $0.0 == unit }?.1
    guard let value = Double(number), let factor, !number.isEmpty else {
      throw NodeCoreError(
        code: .duration, message: "\"\(text)\" is not a duration; write seconds as a number, or 250ms, 3s, 2m, 1h")
    }
    return try parse(seconds: value * factor)
  }

  /// Seconds as a duration, rounded to nanoseconds.
  ///
  /// - Throws: code `duration` where it is negative, not finite or over a century.
  public static func parse(seconds: Double) throws(NodeCoreError) -> Duration {
    guard seconds.isFinite, seconds >= 0 else {
      throw NodeCoreError(code: .duration, message: "a duration cannot be negative or endless, got \(seconds)")
    }
    guard seconds <= longest else {
      throw NodeCoreError(code: .duration, message: "a duration of over a century (\(seconds) seconds) is refused")
    }
    return .nanoseconds(Int64((seconds * 1e9).rounded()))
  }
}

/// Sizes as people write them: `64KiB`, `1MiB`, `10KB`, or bytes as a number.
public enum SizeText {
  private static let units: [(String, Int)] = [
    ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("KB", 1000), ("MB", 1_000_000),
    ("GB", 1_000_000_000),
  ]

  /// Reads a number with a unit, as bytes; without one it is bytes. Case does not matter in units.
  ///
  /// - Throws: code `size` where it is no size, not a whole number of bytes or 10^15 and more.
  public static func parse(_ text: String) throws(NodeCoreError) -> Int {
    let (number, unit) = split(text)
    let factor = unit.isEmpty ? 1 : units.first { $0.0.lowercased() == unit.lowercased() }?.1
    guard let factor, let value = Double(number), value.isFinite, value >= 0, value * Double(factor) < 1e15 else {
      throw NodeCoreError(code: .size, message: "\"\(text)\" is not a size; write bytes as a number, or 64KiB, 1MiB, 10KB")
    }
    let bytes = value * Double(factor)
    guard bytes == bytes.rounded() else {
      throw NodeCoreError(code: .size, message: "\"\(text)\" is not a whole number of bytes")
    }
    return Int(bytes)
  }
}

private func split(_ text: String) -> (number: String, unit: String) {
  let number = text.prefix { ($0.isASCII && $0.isNumber) || $0 == "." }
  return (String(number), String(text.dropFirst(number.count).drop { $0 == " " }))
}
