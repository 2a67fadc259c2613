import ArgumentParser

/// Nodes of every kind, treated badly by many at once, while each promise of docs/INVARIANTS.md is looked after.
@main struct Chaos: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chaos", abstract: "Treats nodes badly and looks after what they promise (make chaos).")

  @Option(help: "How long it goes on, not counting the end.") var seconds = 60
  @Option(help: "What the dice come from; the same seed makes the same choices, not the same interleaving.") var seed: UInt64?
  @Option(help: "Stretches all bounds, for builds that are slow, such as a sanitizer's.") var patience = 1
  @Option(help: "Instead: so many connects and disconnects on each backend, and what is left of them.") var cycles: Int?

  func validate() throws {
    guard seconds > 0, patience > 0, cycles ?? 10 >= 10 else {
      throw ValidationError("--seconds and --patience must be more than 0, --cycles at least 10")
    }
  }

  func run() async throws {
    if let cycles { return try await Cycles(count: cycles).run() }
    await Run(seconds: seconds, seed: seed ?? .random(in: 1...999_999), patience: patience).run()
  }
}
