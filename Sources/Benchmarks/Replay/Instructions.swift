import ArgumentParser
import Foundation

/// Counts the instructions of a message with valgrind and compares them with what was accepted: `make instructions`.
struct Instructions: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Counts instructions per message, and fails where they have become more.",
    discussion: """
      Counts, unlike seconds, are the same on a busy machine. Each is the difference of a long and a short replay, so \
      that what a start costs is left out.
      """)

  @Argument(help: "The file with the accepted figures.") var file: String
  @Flag(help: "Writes what was found into the file, as what is expected from now on.") var accept = false

  static let short = 10_000
  static let long = 40_000

  func run() throws {
    let accepted = try AcceptedInstructions(contentsOf: file)
    if let obstacle = Self.obstacle(accepted) {
      print("instructions: NOT CHECKED: \(obstacle)")
      return
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-instructions-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var found: [String: Int] = [:]
    var dearer: [String] = []
    for subject in ReplayCase.guarded {
      let name = subject.rawValue
      let count = try Self.perMessage(subject, folder)
      found[name] = count
      let verdict = accepted.verdict(on: name, count)
      print("instructions per message: \(verdict.text)")
      fflush(nil)
      if verdict.isDearer { dearer.append(name) }
    }
    if accept {
      try accepted.replaced(by: found, on: Machine.date).write(to: file)
      print("instructions: written to \(file)")
    } else if !dearer.isEmpty {
      print(
        """
        instructions: \(dearer.joined(separator: ", ")) cost more than was accepted in \(file). What they went to: \
        callgrind_annotate \(folder.path)/\(dearer[0])-\(Self.long).out
        If that is meant to be so: make accept-instructions, and say in docs/PERFORMANCE.md why.
        """)
      throw ExitCode.failure
    }
    try? FileManager.default.removeItem(at: folder)
  }

  /// Why there is nothing to compare here, or nil.
  private static func obstacle(_ accepted: AcceptedInstructions) -> String? {
    guard accepted.architecture == Machine.architecture else {
      return "the accepted figures are for \(accepted.architecture), this is \(Machine.architecture)"
    }
    #if DEBUG
      return "this is a debug build"
    #else
      for (tool, words) in [("valgrind", ["--quiet", "--tool=none", "/bin/true"]), ("objcopy", ["--version"])] {
        if (try? Subprocess.output("/usr/bin/env", [tool] + words)) == nil { return "\(tool) is missing or cannot run here" }
      }
      return nil
    #endif
  }

  private static func perMessage(_ subject: ReplayCase, _ folder: URL) throws -> Int {
    let less = try count(subject, short, folder)
    let more = try count(subject, long, folder)
    return Int((Double(more - less) / Double(long - short)).rounded())
  }

  /// This program without debug information, of which valgrind cannot read the newest kind. Names of functions stay.
  private static func stripped(_ folder: URL) throws -> String {
    let program = folder.appendingPathComponent("moonpeer-bench").path
    guard !FileManager.default.fileExists(atPath: program) else { return program }
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    _ = try Subprocess.output("/usr/bin/env", ["objcopy", "--strip-debug", own, program])
    return program
  }

  private static func count(_ subject: ReplayCase, _ messages: Int, _ folder: URL) throws -> Int {
    let out = folder.appendingPathComponent("\(subject.rawValue)-\(messages).out").path
    let program = try stripped(folder)
    // The same hash tables in every run.
    _ = try Subprocess.output(
      "/usr/bin/env",
      [
        "SWIFT_DETERMINISTIC_HASHING=1", "valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=\(out)", program,
        "replay", subject.rawValue, "\(messages)",
      ])
    let lines = try String(contentsOfFile: out, encoding: .utf8).split(separator: "\n")
    guard let line = lines.last(where: { $0.hasPrefix("totals:") }), let total = Int(line.dropFirst(8)) else {
      throw BenchError("\(out) has no line with totals")
    }
    return total
  }
}
