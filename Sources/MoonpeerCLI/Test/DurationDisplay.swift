extension Duration {
  var milliseconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) * 1000 + Double(attoseconds) / 1e15
  }

  /// `7 ms`, `1.24 s`, `2 min 5 s`
  var forPeople: String {
    let total = milliseconds
    if total < 999.5 { return "\(Int(total.rounded())) ms" }
    if total < 59_995 { return "\(Self.hundredths(total / 1000)) s" }
    let seconds = Int((total / 1000).rounded())
    return "\(seconds / 60) min \(seconds % 60) s"
  }

  /// Seconds with three decimals, as JUnit has them.
  var secondsText: String {
    let total = Int(milliseconds.rounded())
    return "\(total / 1000)." + String(String(1000 + total % 1000).dropFirst())
  }

  private static func hundredths(_ number: Double) -> String {
    let total = Int((number * 100).rounded())
    return "\(total / 100)." + String(String(100 + total % 100).dropFirst())
  }
}
