import TestNetwork

/// One line of a test run: a scenario, or a file that could not be loaded at all.
struct TestEntry: Sendable {
  enum Outcome: Sendable {
    case passed
    case failed(ScenarioFailure)
    /// The file has no scenarios to run: the reason.
    case unloadable(String)
  }

  var file: String
  var name: String
  /// `file:line` where it is declared.
  var location: String
  var outcome: Outcome
  var duration: Duration
  /// How often its `always` and `sometimes` properties were looked at.
  var looks = 0

  var hasPassed: Bool { if case .passed = outcome { true } else { false } }

  init(file: String, name: String, location: String, outcome: Outcome, duration: Duration) {
    self.file = file
    self.name = name
    self.location = location
    self.outcome = outcome
    self.duration = duration
  }

  init(_ result: ScenarioResult) {
    let outcome: Outcome =
      switch result.outcome {
      case .passed: .passed
      case .failed(let failure): .failed(failure)
      }
    self.init(file: result.file, name: result.name, location: result.location, outcome: outcome, duration: result.duration)
    looks = result.looks
  }

  init(unloadable file: String, _ error: ScenarioError) {
    self.init(file: file, name: "\(file) can be loaded", location: file, outcome: .unloadable(error.message), duration: .zero)
  }

  /// Why it did not pass, in one message.
  var problem: String? {
    switch outcome {
    case .passed: nil
    case .failed(let failure): failure.message
    case .unloadable(let reason): reason
    }
  }
}
