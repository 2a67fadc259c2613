/// What one scenario came to.
public struct ScenarioResult: Sendable {
  /// How it ended.
  public enum Outcome: Sendable, Equatable {
    case passed
    case failed(ScenarioFailure)
  }

  /// The path it was run from.
  public var file: String
  /// As declared; not twice in a file.
  public var name: String
  /// `file:line` where it is declared.
  public var location: String
  /// How it ended.
  public var outcome: Outcome
  /// From the first node to the last one closed.
  public var duration: Duration
  /// How often `always` and `sometimes` properties were looked at.
  public var looks: Int

  /// Whether it passed.
  public var hasPassed: Bool { outcome == .passed }
}

/// Why a scenario failed, and what its nodes had to say.
public struct ScenarioFailure: Sendable, Equatable {
  /// What did not hold or went wrong.
  public var message: String
  /// `file:line` of the expectation or property, where it is known.
  public var location: String?
  /// Lua's stack, where an error of the code was the reason.
  public var traceback: String?
  /// The log lines of the nodes that took part, oldest first.
  public var log: [String]
}

/// A scenario file that could not be run at all.
public struct ScenarioError: Error, Sendable, CustomStringConvertible {
  public var message: String
  public var description: String { message }
  /// `message`: what is wrong with the file, and where.
  public init(message: String) { self.message = message }
}
