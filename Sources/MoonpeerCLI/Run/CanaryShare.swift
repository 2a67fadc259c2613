/// `--canary`: the share of the nodes that get new code first.
enum CanaryShare {
  /// "10%" → 0.1
  static func parse(_ text: String) throws(CommandFailure) -> Double {
    let number = text.hasSuffix("%") ? Double(text.dropLast()) : nil
    guard let number, (0...100).contains(number) else {
      let isBare = Double(text).map { (0...100).contains($0) } == true
      let hint = isBare ? "; write \(text)% for a share of the nodes, a number of them cannot be given" : ""
      throw CommandFailure(.usage, "--canary: a share such as 10% is expected, got \(text)\(hint)")
    }
    return number / 100
  }
}
