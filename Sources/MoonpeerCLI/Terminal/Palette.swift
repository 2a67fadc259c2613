import Glibc

/// Colours for a terminal, or none.
struct Palette: Sendable {
  enum Paint: String, Sendable {
    case dim = "2"
    case bold = "1"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
    case alarm = "1;31"
  }

  static let plain = Palette(isColoured: false)
  static let coloured = Palette(isColoured: true)

  private let isColoured: Bool

  private init(isColoured: Bool) { self.isColoured = isColoured }

  /// Colours only on a terminal that can show them, and where NO_COLOR (no-color.org) is not set.
  static func `for`(_ output: Output) -> Palette {
    output.isTerminal && allowsColours(noColor: variable("NO_COLOR"), term: variable("TERM")) ? coloured : plain
  }

  static func allowsColours(noColor: String?, term: String?) -> Bool {
    (noColor ?? "").isEmpty && term != "dumb"
  }

  func paint(_ text: String, _ paint: Paint) -> String {
    isColoured && !text.isEmpty ? "\u{1B}[\(paint.rawValue)m\(text)\u{1B}[0m" : text
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
