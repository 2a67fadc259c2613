import Foundation

/// `../shared/tools/rawloop.c`, where it is present: the limit to measure against.
struct RawLoop {
  private let program: String
  /// It was built for this call, and goes with it.
  private let isBuilt: Bool

  /// - Parameter path: the source, the program, or nil for the usual place; nil is returned where there is none.
  static func find(_ path: String?) throws -> RawLoop? {
    let source = path ?? "../shared/tools/rawloop.c"
    guard FileManager.default.fileExists(atPath: source) else {
      if path != nil { throw BenchError("there is no \(source)") }
      return nil
    }
    guard source.hasSuffix(".c") else { return RawLoop(program: source, isBuilt: false) }
    let program = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-rawloop-\(getpid())").path
    _ = try Subprocess.output("/usr/bin/env", ["cc", "-O2", "-pthread", "-o", program, source])
    return RawLoop(program: program, isBuilt: true)
  }

  /// Nobody needs it any more.
  func remove() {
    if isBuilt { try? FileManager.default.removeItem(atPath: program) }
  }

  /// One run; its figure in the same unit as ours.
  func run(_ words: [String], seconds: Double, unit: Case.Unit) throws -> Double {
    let isConnect = words.first == "connect"
    let text = try Subprocess.output(program, words + (isConnect ? [] : ["\(seconds)"]))
    let line = try JSONDecoder().decode(Line.self, from: Data(text.utf8))
    let value: Double? =
      switch unit {
      case .messages: line.messages_per_s
      case .bytes: line.gigabytes_per_s.map { $0 * 1e9 }
      case .roundTrips: line.round_trips_per_s
      case .microseconds: line.cycles_per_s.map { 1e6 / $0 }
      default: nil
      }
    guard let value else { throw BenchError("rawloop \(words.joined(separator: " ")) has no figure in \(unit.rawValue)") }
    return value
  }

  private struct Line: Decodable {
    var messages_per_s: Double?
    var gigabytes_per_s: Double?
    var round_trips_per_s: Double?
    var cycles_per_s: Double?
  }
}
