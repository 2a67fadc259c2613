/// What an epoch is made of.
struct Mix: Sendable {
  enum Operation: String, CaseIterable, Sendable {
    case spawn, shutDown = "shut down", crash, toggle = "toggle a listener", connect, disconnect, send, broadcast, reload
    case fault, stranger, look
  }
  var name: String
  /// How often each is chosen, against the others.
  var weights: [(Operation, Int)]
  /// One in so many is done eight times at once; 0: none.
  var burst = 0
  /// One message in so many asks for a fault; 0: none.
  var faults = 60

  static let all: [Mix] = [
    Mix(
      name: "a little of all",
      weights: [
        (.spawn, 4), (.shutDown, 2), (.toggle, 2), (.connect, 24), (.disconnect, 4), (.send, 30), (.broadcast, 6), (.reload, 4),
        (.fault, 2), (.stranger, 3), (.look, 6),
      ], burst: 20),
    Mix(
      name: "traffic",
      weights: [(.spawn, 4), (.connect, 12), (.send, 60), (.broadcast, 10), (.disconnect, 1), (.reload, 1), (.look, 3)], burst: 8,
      faults: 400),
    Mix(
      name: "connections come and go",
      weights: [(.spawn, 4), (.connect, 60), (.disconnect, 40), (.send, 10), (.stranger, 6), (.look, 6), (.shutDown, 1)],
      burst: 6),
    Mix(
      name: "reloads under load",
      weights: [(.spawn, 4), (.connect, 14), (.send, 40), (.broadcast, 6), (.reload, 24), (.disconnect, 2), (.look, 4)],
      burst: 10,
      faults: 200),
    Mix(
      name: "faults",
      weights: [(.spawn, 6), (.connect, 30), (.send, 40), (.fault, 10), (.stranger, 6), (.reload, 3), (.look, 6)], burst: 12,
      faults: 6),
    Mix(
      name: "nodes come and go",
      weights: [(.spawn, 20), (.shutDown, 14), (.crash, 2), (.connect, 40), (.send, 20), (.broadcast, 4), (.look, 4)], burst: 8),
    Mix(
      name: "listeners come and go",
      weights: [(.spawn, 6), (.toggle, 20), (.connect, 50), (.disconnect, 10), (.send, 10), (.stranger, 4), (.look, 4)], burst: 8),
    Mix(
      name: "everything at once",
      weights: Operation.allCases.filter { $0 != .crash }.map { ($0, 5) } + [(.connect, 20), (.send, 20)], burst: 3, faults: 20),
  ]

  func pick(_ generator: inout some RandomNumberGenerator) -> Operation {
    var left = Int.random(in: 0..<weights.reduce(0) { $0 + $1.1 }, using: &generator)
    for (operation, weight) in weights {
      left -= weight
      if left < 0 { return operation }
    }
    return .look
  }
}
