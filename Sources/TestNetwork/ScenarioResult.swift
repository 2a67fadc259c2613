/// What one scenario came to.
public struct ScenarioResult: Sendable {
  public enum Outcome: Sendable, Equatable {
    case passed
    case failed(ScenarioFailure)
  }

  public var file: String
  public var name: String
  /// `file:line` where it is declared.
  public var location: String
  public var outcome: Outcome
  public var duration: Duration
  /// How often `always` and `sometimes` properties were looked at.
  public var looks: Int

  public var hasPassed: Bool { outcome == .passed }
}

/// Why a scenario failed, and what its nodes had to say.
public struct ScenarioFailure: Sendable, Equatable {
  public var message: String
  /// `file:line` of the expectation or property, where it is known.
  public var location: String?
  public var traceback: String?
  /// The log lines of the nodes that took part, oldest first.
  public var log: [String]
}

/// A scenario file that could not be run at all.
public struct ScenarioError: Error, Sendable, CustomStringConvertible {
  public var message: String
  public var description: String { message }
  public init(message: String) { self.message = message }
}
