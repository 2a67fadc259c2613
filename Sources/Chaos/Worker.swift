import NodeCore
import NodeEngine

/// One of those who make the chaos: an operation after the other, by its own random numbers.
struct Worker: Sendable {
  let number: Int
  let world: World
  var generator: SeededGenerator

  init(_ number: Int, in world: World) {
    self.number = number
    self.world = world
    generator = SeededGenerator(seed: world.verdict.seed).split("worker \(number)")
  }

  /// Until the run is over; what was begun is brought to its end.
  mutating func run() async {
    while !world.isOver {
      let mix = world.mix
      let operation = mix.pick(&generator)
      guard mix.burst > 0, Int.random(in: 0..<mix.burst, using: &generator) == 0 else {
        await perform(operation)
        continue
      }
      await withTaskGroup(of: Void.self) { group in
        for index in 0..<8 {
          var one = self
          one.generator = SeededGenerator(seed: generator.next()).split("burst \(index)")
          group.addTask { [one] in
            var one = one
            await one.perform(operation)
          }
        }
      }
    }
  }

  private mutating func perform(_ operation: Mix.Operation) async {
    switch operation {
    case .spawn: await spawn()
    case .shutDown: await shutDown()
    case .crash: await crash()
    case .toggle: await toggle()
    case .connect: await connect()
    case .disconnect: await disconnect()
    case .send: await send()
    case .broadcast: await broadcast()
    case .reload: await reload()
    case .fault: await fault()
    case .stranger: await stranger()
    case .look: await look()
    }
  }

  var name: String { "worker \(number)" }

  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }

  func watch<T>(_ kind: String, _ what: String, bound: Int = 60, _ body: () async -> T) async -> T {
    await world.watchdog.watch(name, kind, what, bound: bound, body)
  }

  /// What a message asks its receiver for.
  mutating func action() -> Message.Action {
    let mix = world.mix
    guard mix.faults > 0, chance(mix.faults) else {
      return [.nothing, .nothing, .nothing, .nothing, .echo, .echo].randomElement(using: &generator)!
    }
    let action = Message.Action.allCases.randomElement(using: &generator)!
    if action == .shutDown, !chance(4) { return .raise }
    return Message.dear.contains(action) && !world.allowsDear() ? .hold : action
  }

  // Where it fails that is no failure of the run as long as it is a refusal that the documentation knows.

  func check(_ error: NodeError, _ what: String, allowed: Set<NodeError.Code>) {
    world.note("\(what): \(error.code.rawValue)")
    if !allowed.contains(error.code) { world.verdict.fail("\(name): \(what): \(error.code.rawValue): \(error)") }
  }
}
