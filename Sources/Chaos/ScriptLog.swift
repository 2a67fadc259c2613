import Logging
import Synchronization

/// A script's log as its way to the record: lines that begin with `c`, `m` and `d` say which hook runs.
struct ScriptLog: LogHandler {
  let record: NodeRecord
  let verdict: Verdict
  let newest: NewestLines
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var logLevel = Logger.Level.info

  static func logger(_ record: NodeRecord, _ verdict: Verdict, _ newest: NewestLines) -> Logger {
    Logger(label: "chaos") { _ in ScriptLog(record: record, verdict: verdict, newest: newest) }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let text = event.message.description
    let words = text.split(separator: " ")
    func number<Number: FixedWidthInteger>(_ index: Int) -> Number { Number(words[index]) ?? 0 }
    let problem: String?
    switch (words.first, words.count) {
    case ("c", 3): problem = record.connected(number(1), peer: EndKey(String(words[2])))
    case ("m", 7):
      problem = record.handled(
        number(1), from: EndKey(node: number(2), connection: number(3)), lane: number(4), number: number(5))
    case ("d", 4): problem = record.disconnected(number(1), sent: number(2))
    default:
      if text.hasPrefix("the state stays as it was before the reload") { record.noteStateLoss() }
      newest.add("node \(record.key) generation \(metadata["generation"] ?? "?"): \(event.level) \(text)")
      return
    }
    if let problem { verdict.fail("node \(record.key) (Lua, generation \(metadata["generation"] ?? "?")): \(problem)") }
  }
}

/// The last lines that the nodes' own code logged, for the report of a failure.
final class NewestLines: Sendable {
  private static let bound = 4000
  private let lines = Mutex<[String]>([])

  func add(_ line: String) {
    lines.withLock { lines in
      lines.append(String(line.prefix(300)))
      if lines.count > 2 * Self.bound { lines.removeFirst(Self.bound) }
    }
  }

  /// - Parameter failure: what went wrong; more is said of the nodes whose numbers are in it.
  func report(of failure: String) -> [String] {
    let numbers = failure.split { !$0.isNumber }.filter { $0.count >= 3 }
    return lines.withLock { lines in
      let named = lines.dropLast(20).filter { line in
        !line.contains("asked to") && numbers.contains { line.hasPrefix("node \($0) ") }
      }
      return named.suffix(40).map { "  of its nodes: \($0)" } + lines.suffix(20).map { "  log: \($0)" }
    }
  }
}
