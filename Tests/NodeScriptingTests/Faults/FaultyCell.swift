import Logging
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// One fault in one hook, and what has to be told of it.
struct FaultyCell: CustomStringConvertible {
  let fault: Fault
  let hook: FaultyHook
  /// How it is logged.
  let level: Logger.Level
  /// Lines of the log that are not about it.
  let before: Int
  let log: LogRecorder

  var description: String { "\(fault.name) in \(hook.name)" }

  /// The script that runs first.
  var text: String { hook.payer == .reload && !isOfOldCode ? text("") : text(hook.script) }
  /// The code that is to replace it.
  var textAfterReload: String { isOfOldCode ? text("") : text(hook.script) }
  private var isOfOldCode: Bool { hook.name.hasPrefix("save") }

  private func text(_ script: String) -> String {
    """
    local codec = require "moonpeer.codec"
    local function fault(node, conn) \(fault.code) end
    return { config = { script_time = "60ms", script_memory = "4MiB" }, \(script) }
    """
  }

  /// The error of another run, handed on by a join: where memory has run out in that, its place is not always known.
  private var isJoined: Bool { hook.name.hasPrefix("joined task") }

  private var lines: [LogLine] { log.lines[before...].filter { $0.level == level && $0.metadata["hook"] != nil } }

  func isReported() async throws {
    try await eventually("\(self) is reported") { !lines.isEmpty }
    expectReported()
  }

  /// One line, with everything that helps.
  func expectReported() {
    #expect(lines.count == 1, "\(self): \(lines.map(\.message))")
    guard let line = lines.first else { return }
    let peer = hook.isOfConnection ? " (peer 127.0.0.1:" : ": "
    let place = "in \(hook.hook)\(peer)"
    let isPlaced = hook.lines.contains { line.message.hasPrefix("\($0): \(place)") }
    let mayLackPlace = isJoined && fault.kind == .budget
    #expect(isPlaced || mayLackPlace && line.message.hasPrefix(place), "\(self): \(line.message)")
    #expect(line.metadata["hook"] == hook.hook, "\(self): \(line.metadata)")
    #expect((line.metadata["kind"] == "budget") == (fault.kind == .budget), "\(self): \(line.metadata)")
    // What comes of a peer's bytes has no stack: it would be the peer who has it written, again and again.
    guard hook.payer != .decoding || fault.kind == .budget, isPlaced else { return }
    #expect(hook.lines.contains { line.metadata["traceback"]?.contains($0) == true }, "\(self): \(line.metadata)")
  }

  func expectTold(_ error: ScriptError?) {
    #expect(error != nil, "\(self)")
    #expect(
      (error?.code == .budget || error?.kind == "budget") == (fault.kind == .budget), "\(self): \(String(describing: error))")
    let place = error?.location ?? error?.message ?? ""
    #expect(
      hook.lines.contains { place.hasPrefix($0) } || isJoined, "\(self): \(String(describing: error))")
    guard hook.payer == .reload || hook.evaluated != nil else { return }
    #expect(error?.hook == hook.hook, "\(self): \(String(describing: error))")
    #expect((error?.peer != nil) == hook.name.hasSuffix("_connection"), "\(self): \(String(describing: error))")
    #expect(hook.lines.contains { error?.traceback?.contains($0) == true }, "\(self): \(String(describing: error?.traceback))")
  }

  func expectCounted(_ heuristics: Heuristics) {
    let counts = [heuristics.scriptErrors, heuristics.budgetKills, heuristics.decodeErrors, heuristics.failedReloads]
    let isBudget = fault.kind == .budget
    let expected: [[UInt64]] =
      switch hook.payer {
      // Who joins a task is told of its end by an error; or has no memory left itself, once the task has used it up.
      case .caller where isJoined && isBudget: [[0, 1, 0, 0], [0, 2, 0, 0]]
      case _ where isJoined && isBudget: [[1, 1, 0, 0], [0, 2, 0, 0]]
      case .caller: isBudget ? [[0, 1, 0, 0]] : [[0, 0, 0, 0]]
      case .reload: [[0, 0, 0, 1]]
      case .decoding: isBudget ? [[0, 1, 0, 0]] : [[0, 0, 1, 0]]
      default: isBudget ? [[0, 1, 0, 0]] : [[1, 0, 0, 0]]
      }
    #expect(expected.contains(counts), "\(self): \(heuristics)")
  }
}
