/// What a reload did.
public struct ReloadReport: Sendable, Equatable {
  /// The generation that is in force now; the code a node starts with is 1.
  public var generation: Int
  /// The script's `version`, where it gives one.
  public var version: Int64?
  /// Loading and checking the new code, waiting for the loop's next turn not counted: no message had to wait for that.
  public var staging: Duration
  /// Waiting for running hooks to end; no new message was handed out.
  public var quiescing: Duration
  /// Handing over state and connections, the swap included.
  public var migration: Duration
  /// How long messages were held back.
  public var pause: Duration { quiescing + migration }
  /// What a restart is needed for, one line each.
  public var warnings: [String]
  /// Live connections that the new code has now.
  public var moved: Int
  /// Connections that stay with the old code until they end, or until their handshake is over.
  public var left: Int
}

/// One generation of a node's code.
public struct GenerationInfo: Sendable, Equatable {
  /// 1 for the code the node was started with.
  public var number: Int
  /// The script's `version`, where it gives one.
  public var version: Int64?
  /// Whether it is the one in force.
  public var isCurrent: Bool
  /// Whether it is kept so that a reload can be rolled back.
  public var isKept: Bool
  /// The connections that it has.
  public var connections: Int
}

/// What came of the time in which the code of a reload is watched.
public enum ProbationOutcome: Sendable, Equatable {
  /// It held, or there was none.
  case passed
  /// The old code is back, and why.
  case rolledBack(String)
  /// It failed, but the old code cannot come back: the new one stays, and why.
  case kept(String)
  /// The node stopped meanwhile.
  case stopped
}

/// The steps of a reload, for tests that make each of them fail.
package enum ReloadStep: Equatable, Sendable {
  case load, handle, save, restore, bind, timers, swap
}
