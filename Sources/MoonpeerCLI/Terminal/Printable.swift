/// Text from scripts and peers made harmless to show: what would move a cursor or forge a line is spelt out.
enum Printable {
  /// Control characters as `\n`, `\t`, `\u{1b}`; everything else as it is.
  static func text(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where isUnsafe(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Several lines, each made harmless; tabs, which tracebacks begin with, become spaces.
  static func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      self.text(String(line).replacing("\t", with: "  "))
    }
  }

  // C0, DEL, C1, the line and paragraph separators, and what turns the direction of text around.
  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
