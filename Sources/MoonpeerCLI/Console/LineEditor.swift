import CEdit
import Glibc
import Synchronization

/// Lines typed at a terminal, with history and completion.
final class LineEditor {
  enum Input {
    case line(String)
    /// Ctrl-D.
    case end
    /// Ctrl-C, or SIGTERM.
    case interrupted
    /// The host closed its end while somebody was typing.
    case hostGone
  }

  private let history: String?
  private static let longestHistory: Int32 = 1000
  // libedit calls a plain function; there is one terminal.
  private static let completer = Mutex<(@Sendable (String) -> [String])?>(nil)

  /// - Parameter complete: the line up to the cursor → whole words in the place of its last one.
  init(complete: @escaping @Sendable (String) -> [String]) {
    setlocale(LC_CTYPE, "")
    Self.completer.withLock { $0 = complete }
    cedit_prepare("moonpeer") { line in
      guard let line, let complete = LineEditor.completer.withLock({ $0 }) else { return nil }
      let words = complete(String(cString: line))
      let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.init(
        OpaquePointer(calloc(words.count + 1, MemoryLayout<UnsafeMutablePointer<CChar>?>.stride)!))
      for (index, word) in words.enumerated() { list[index] = strdup(word) }
      return list
    }
    history = Self.historyFile()
    if let history { cedit_load_history(history, Self.longestHistory) }
  }

  /// `moonpeer/console_history` in XDG_STATE_HOME; for its owner only, because what is typed may be secret. nil: there is
  /// no place for it.
  static func historyFile() -> String? {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    guard let base = variable("XDG_STATE_HOME") ?? variable("HOME").map({ $0 + "/.local/state" }) else { return nil }
    let folder = base + "/moonpeer"
    var parts = ""
    for part in folder.split(separator: "/") {
      parts += "/" + part
      mkdir(parts, 0o700)
    }
    let path = folder + "/console_history"
    let file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard file >= 0 else { return nil }
    defer { close(file) }
    return fchmod(file, 0o600) == 0 ? path : nil
  }

  func read(_ prompt: String, wake: Int32, host: Int32) -> Input {
    var outcome = CEDIT_LINE
    guard let raw = cedit_read(prompt, wake, host, &outcome) else {
      // The cursor is still behind what was typed.
      Output.standard.tell("\n")
      switch outcome {
      case CEDIT_WOKEN: return .interrupted
      case CEDIT_LEFT: return .hostGone
      default: return .end
      }
    }
    defer { free(raw) }
    return .line(String(cString: raw))
  }

  /// For the arrow keys, and for the next time.
  func remember(_ line: String) {
    guard !line.allSatisfy(\.isWhitespace) else { return }
    cedit_remember(line)
    if let history { cedit_save_history(history) }
  }
}
