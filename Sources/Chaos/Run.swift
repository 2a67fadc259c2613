import CHeap
import NodeCore

/// A run from its first node to its last, and the sheet that has to balance.
struct Run: Sendable {
  static let workers = 18
  static let places = 12
  /// Beyond what they are when a run starts: two for each connection a node may have, as many again that linger, listeners.
  static let descriptors = 12 * (2 * 14 + 4) + 1500
  /// Swift's runtime opens some for its timers, each when it is first needed.
  static let descriptorsOfTheRuntime = 6
  /// Ten nodes' scripts with what their generations may take, buffers, and what malloc keeps of it all. A sanitizer keeps
  /// what was freed for a while, and notes on everything.
  static let memory = cheap_is_sanitized() ? 4 << 30 : 512 << 20

  let seconds: Int
  let world: World
  let watchdog: Watchdog
  private let verdict: Verdict

  init(seconds: Int, seed: UInt64, patience: Int) {
    self.seconds = seconds
    verdict = Verdict(seed: seed, again: "make chaos SECONDS=\(seconds) SEED=\(seed)")
    watchdog = Watchdog(verdict, patience: patience)
    world = World(places: Self.places, verdict, watchdog)
  }

  func run() async {
    say("chaos for \(seconds) s with seed \(verdict.seed): \(Self.workers) workers, \(Self.places) nodes")
    watchdog.start()
    await warmUp()
    let start = Resources.now
    let ceilings = Ceilings(over: start, verdict, descriptors: Self.descriptors, memory: Self.memory)
    ceilings.start()
    await withTaskGroup(of: Void.self) { group in
      for number in 1...Self.workers {
        group.addTask {
          var worker = Worker(number, in: world)
          await worker.run()
        }
      }
      await conduct()
    }
    verdict.begin(epoch: -1, "all workers have stopped")
    await Settling(world).settle()
    verdict.begin(epoch: -1, "all is settled")
    await shutDownAll()
    await expectNothingLeft(start)
    Report(world, ceilings, start).write()
  }

  /// What the process makes once and keeps is made before anything is measured.
  private func warmUp() async {
    var worker = Worker(0, in: world)
    for _ in 0..<Self.places { await worker.spawn() }
    for _ in 0..<30 { await worker.connect() }
    await shutDownAll()
  }

  /// One mix after the other, until the time is over.
  private func conduct() async {
    var generator = SeededGenerator(seed: verdict.seed).split("epochs")
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    let length = max(1, min(5, seconds / Mix.all.count))
    var epoch = 0
    var order: [Mix] = []
    while clock.now < end {
      if order.isEmpty { order = Mix.all.shuffled(using: &generator) }
      let mix = order.removeFirst()
      epoch += 1
      let before = watchdog.finished
      verdict.begin(epoch: epoch, mix.name)
      world.mix = mix
      try? await clock.sleep(until: min(end, clock.now + .seconds(length)))
      say("epoch \(epoch), \(mix.name): \(watchdog.finished - before) operations, \(world.nodes.count) nodes; \(Resources.now)")
    }
    world.finish()
  }

  private func shutDownAll() async {
    await withTaskGroup(of: Void.self) { group in
      for node in world.nodes {
        guard let place = world.take(node) else { continue }
        group.addTask {
          var worker = Worker(0, in: world)
          await worker.end(node, at: place)
        }
      }
    }
  }

  /// Sockets linger for a second, and memory goes with the last who looks at it: so it is asked again until it is so.
  private func expectNothingLeft(_ start: Resources) async {
    verdict.add { [world] _ in
      ["  at the start: \(start); now: \(Resources.now); nodes that are still in memory: \(world.undead)"] + Resources.open
    }
    await watchdog.watch("the end", "free all", "descriptors and nodes") {
      while Resources.now.descriptors > start.descriptors + Self.descriptorsOfTheRuntime || !world.undead.isEmpty {
        // Nothing else goes on any more; the pause is so that the loops have the processor.
        try? await Task.sleep(for: .milliseconds(20))
      }
    }
  }
}
