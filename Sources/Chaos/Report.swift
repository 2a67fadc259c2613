import NodeCore

/// What a run came to, where nothing failed.
struct Report {
  private let world: World
  private let ceilings: Ceilings
  private let start: Resources

  init(_ world: World, _ ceilings: Ceilings, _ start: Resources) {
    (self.world, self.ceilings, self.start) = (world, ceilings, start)
  }

  func write() {
    let totals = world.sheet.totals
    let heuristics = world.heuristics
    let operations = world.watchdog.counts
    say("operations: " + list(operations))
    say("outcomes: " + list(world.outcomes))
    say("on_connect = on_disconnect: \(world.pairs); connections with both ends known: \(totals.connections)")
    say(
      "messages: \(totals.sent) sent = \(totals.handled) handled + \(totals.unhandled) dropped or gone with their connection "
        + "(\(heuristics.droppedMessages) counted as dropped)")
    let counted = Dictionary(uniqueKeysWithValues: Heuristics.names.map { ($0, Int(heuristics[$0])) })
    say("counted: " + list(counted.filter { $0.value > 0 }))
    say("start: \(start)")
    say("end:   \(Resources.now)")
    say("most:  \(ceilings.most.descriptors) descriptors, \(ceilings.most.memory >> 20) MiB resident")
    say("CHAOS PASSED with seed \(world.verdict.seed)")
  }

  private func list(_ counts: [String: Int]) -> String {
    counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }
}
