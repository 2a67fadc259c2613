import LuaHost
import NodeScripting

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
  /// What is wrong with the file, and where.
  public var message: String
  public var description: String { message }
  /// `message`: what is wrong with the file, and where.
  public init(message: String) { self.message = message }
}

extension ScenarioFailure {
  /// A script holds a loop, and nothing but the end of the process ends it.
  static func stuck(_ what: String, _ location: String) -> Self {
    Self(
      message: "\(what): a script holds its loop, perhaps with a pattern that string.find cannot finish; it is left behind",
      location: location, traceback: nil, log: [])
  }

  /// What `network_run.lua` raised, or what ended the run from outside (a budget).
  init(_ error: ScriptError, in path: String) {
    let fields = error.value?.table
    let isExpectation = error.kind == "expectation"
    self.init(
      message: fields?["where"].text == nil ? error.message : fields?["message"].text ?? error.message,
      location: (fields?["where"].text ?? error.location).map { wholePlace($0, in: path) },
      traceback: isExpectation ? nil : fields?["traceback"].text ?? error.traceback, log: [])
  }
}

/// Lua cuts the beginning of a long path: `...work/scenario.lua:3` is `path:3` where the end is the path's.
func wholePlace(_ place: String, in path: String) -> String {
  guard place.hasPrefix("..."), let colon = place.lastIndex(of: ":") else { return place }
  let end = place[place.index(place.startIndex, offsetBy: 3)..<colon]
  return path.hasSuffix(end) ? path + place[colon...] : place
}
