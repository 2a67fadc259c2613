import ArgumentParser
import Foundation
import NodeEngine

/// Measures every case in processes of its own, interleaved with rawloop where a case has a counterpart there.
@main struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "moonpeer-bench",
    abstract: "Measures Moonpeer, one JSON line per case.",
    discussion: """
      Each run is a process of its own, so that CPU seconds and peak memory are that run's. Ratios to rawloop come from \
      interleaved runs of this call. All traffic stays on 127.0.0.1.

        moonpeer-bench --list
        moonpeer-bench --case stream-16 --runs 5
        moonpeer-bench --quick --table docs/PERFORMANCE.md
      """,
    subcommands: [Run.self, Instructions.self, Worker.self, Dialer.self, Replay.self], defaultSubcommand: Run.self)
}

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Measures (the default).")

  @Option(name: .customLong("case"), help: "Only cases whose name begins like this; may be repeated.")
  var cases: [String] = []
  @Option(
    help: "What carries the sockets, nio or epoll; may be repeated, and the runs are interleaved then.",
    transform: { text in
      guard let backend = SocketBackend(rawValue: text) else { throw ValidationError("--backend is nio or epoll") }
      return backend
    })
  var backend: [SocketBackend] = []
  @Option(help: "Runs of each case.") var runs = 5
  @Option(help: "Seconds a streaming or echoing run sends for.") var seconds = 1.0
  @Flag(help: "Three short runs and small numbers of nodes and connections.") var quick = false
  @Flag(help: "Names the cases and ends.") var list = false
  @Option(help: "rawloop.c, or the built program; by default ../shared/tools/rawloop.c where it is present.")
  var rawloop: String?
  @Option(help: "Also writes the table into this Markdown file, between its markers.") var table: String?

  func run() throws {
    if list {
      for one in Case.all { print(one.name, "-", one.title().summary) }
      return
    }
    guard runs >= 1, seconds > 0 else { throw ValidationError("--runs and --seconds must be more than 0") }
    let chosen = Case.all.filter { one in cases.isEmpty || cases.contains { one.name.hasPrefix($0) } }
    guard !chosen.isEmpty else { throw ValidationError("no case is called so; --list names them") }
    let raw = try RawLoop.find(rawloop)
    defer { raw?.remove() }
    let scale = Scale(runs: quick ? 3 : runs, seconds: quick ? 0.3 : seconds, isQuick: quick, load: Machine.load)
    var reports: [Report] = []
    for one in chosen {
      for report in try one.measure(scale, raw, on: backend.isEmpty ? [.standard] : backend) {
        print(report.json)
        fflush(nil)
        reports.append(report)
      }
    }
    if let table { try Table(reports, scale).write(into: table) }
  }
}

/// How much work a run is.
struct Scale {
  var runs: Int
  var seconds: Double
  var isQuick: Bool
  /// What else the machine did before the first run.
  var load: String
}
