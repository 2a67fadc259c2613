import NodeEngine

/// When the runs of one VM have their turn.
///
/// Each has a time budget, and many of them may come to their turn at once: tasks that were spawned, timers that are due,
/// calls from other scripts. So a VM that has used up its share of the loop's turn, or had a run ended over its budget, gives
/// way to the others on the loop, and what else it has to do waits in line. Until then everything runs at once.
final class ScriptTurns {
  /// Each keeps its order, and both have their turn alternately: what goes on does not wait behind a crowd that begins.
  enum Line {
    /// Answers to runs that wait, and messages.
    case goingOn
    /// Tasks, timers and calls; runs that slept, which come behind what was due before.
    case beginning

    var other: Line { self == .goingOn ? .beginning : .goingOn }
  }

  private struct Waiting {
    var run: () -> Void
    /// Nil: it cannot be left out.
    var callOff: (() -> Void)?
  }

  /// Of one turn of the loop, in nanoseconds.
  static let share: Int64 = 10_000_000

  private let scheduler: any Scheduler
  // Touched on the loop only, and never lent out while something runs.
  @exclusivity(unchecked) private var goingOn = WaitingLine<Waiting>()
  @exclusivity(unchecked) private var beginning = WaitingLine<Waiting>()
  @exclusivity(unchecked) private var next = Line.goingOn
  /// The share is used up.
  @exclusivity(unchecked) private(set) var isOver = false
  /// In which turn of the loop that was; it holds until the VM is given a turn, which may be some later.
  @exclusivity(unchecked) private var overIn: UInt64 = 0
  /// A run was ended over its budget.
  @exclusivity(unchecked) private(set) var isOverBudget = false
  @exclusivity(unchecked) private var isTurnComing = false
  @exclusivity(unchecked) private var isGivingTurns = false
  /// Runs within runs are counted once.
  @exclusivity(unchecked) private var depth = 0
  @exclusivity(unchecked) private var startedAt: Int64 = 0
  @exclusivity(unchecked) private var spent: Int64 = 0
  @exclusivity(unchecked) private var turn: UInt64 = 0
  /// What the runs may still take before all that has not begun is called off; nil: it may begin.
  @exclusivity(unchecked) private var left: Int64?

  init(_ scheduler: any Scheduler) { self.scheduler = scheduler }

  var isEmpty: Bool { goingOn.isEmpty && beginning.isEmpty }
  /// Messages that were just read may be handled. Those of the loop's next turn need not wait for what is in line: one whose
  /// messages are in line is not read from, so that a peer that floods does not keep the others waiting.
  var takesMessages: Bool { !isOver || scheduler.turn != overIn }
  /// One connection has had its share of this turn.
  var isMessageShareUsed: Bool { !takesMessages || scheduler.now.nanoseconds - startedAt >= MessageTurn.share }
  /// Nothing is to be waited for.
  var isFree: Bool { !isOver && !isGivingTurns }

  /// Runs it at once, or when its turn comes.
  ///
  /// - Parameter callOff: called instead, where the node shuts down and takes too long for it; nil: it runs nevertheless.
  func run(_ line: Line, callOff: (() -> Void)? = nil, _ action: @escaping () -> Void) {
    guard !isFree else { return measure(action) }
    wait(line, callOff: callOff, action)
  }

  /// Runs it when its turn comes.
  func wait(_ line: Line, callOff: (() -> Void)? = nil, _ action: @escaping () -> Void) {
    let waiting = Waiting(run: action, callOff: callOff)
    switch line {
    case .goingOn: goingOn.append(waiting)
    case .beginning: beginning.append(waiting)
    }
    askForTurn()
  }

  /// Runs it now, and counts the time that it takes.
  func measure(_ action: () -> Void) {
    begin()
    action()
    end()
  }

  func begin() {
    depth += 1
    if depth == 1 { startedAt = scheduler.now.nanoseconds }
  }

  func end() {
    depth -= 1
    guard depth == 0 else { return }
    let current = scheduler.turn
    if current != turn {
      turn = current
      spent = 0
    }
    let taken = scheduler.now.nanoseconds - startedAt
    spent += taken
    if let left { self.left = left - taken }
    guard spent >= Self.share else { return }
    isOver = true
    overIn = current
    askForTurn()
  }

  /// A run has used up all the time or memory it may.
  func noteOverBudget() {
    isOver = true
    isOverBudget = true
    overIn = scheduler.turn
    if left != nil { left = 0 }
    askForTurn()
  }

  private func askForTurn() {
    guard !isTurnComing, !isGivingTurns else { return }
    isTurnComing = true
    scheduler.giveWay { [self] in giveTurns() }
  }

  private func giveTurns() {
    isTurnComing = false
    isOver = false
    isOverBudget = false
    turn = scheduler.turn
    spent = 0
    isGivingTurns = true
    while !isOver, let waiting = takeNext() {
      if let callOff = waiting.callOff, hasNoTimeLeft { callOff() } else { measure(waiting.run) }
    }
    if hasNoTimeLeft { callOffBeginnings() }
    isGivingTurns = false
    if isOver || !isEmpty { askForTurn() }
  }

  private func takeNext() -> Waiting? {
    let line = next
    next = line.other
    switch line {
    case .goingOn: return goingOn.popFirst() ?? beginning.popFirst()
    case .beginning: return beginning.popFirst() ?? goingOn.popFirst()
    }
  }

  // Ending

  private var hasNoTimeLeft: Bool { left.map { $0 <= 0 } ?? false }

  /// From now on the VM has so much time for everything; what has not begun by then is called off. What waits behind a run that
  /// was ended over its budget has waited long enough.
  func limit(to nanoseconds: Int64) {
    left = isOverBudget ? 0 : nanoseconds
    if isOverBudget { callOffBeginnings() }
  }

  private func callOffBeginnings() {
    var kept = WaitingLine<Waiting>()
    while let waiting = beginning.popFirst() {
      if let callOff = waiting.callOff { callOff() } else { kept.append(waiting) }
    }
    beginning = kept
  }
}

/// First come, first served.
private struct WaitingLine<Element> {
  private var elements: [Element?] = []
  private var first = 0

  var isEmpty: Bool { first == elements.count }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[first]
    elements[first] = nil
    first += 1
    if isEmpty {
      elements = []
      first = 0
    } else if first > 1024, first > elements.count / 2 {
      elements.removeFirst(first)
      first = 0
    }
    return element
  }
}
