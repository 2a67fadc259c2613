package import LuaHost
import NodeCore
import NodeEngine

/// What a run is for, in the words its errors are reported with.
package struct RunPurpose: Sendable, Equatable {
  package var name: String
  /// A reload waits until the run is over, and is given up where that takes too long.
  package var holdsReload: Bool
  /// What runs is not the script's own: it was typed into the console.
  package var isForeign: Bool
  /// How many calls between scripts stand one upon the other below this run; 0: none.
  var callDepth: UInt8 = 0
  package init(_ name: String, holdsReload: Bool = false, isForeign: Bool = false) {
    self.name = name
    self.holdsReload = holdsReload
    self.isForeign = isForeign
  }

  package static let script = RunPurpose("the script's top level")
  package static let initialise = RunPurpose("init")
  package static let handshake = RunPurpose("handshake")
  package static let onConnect = RunPurpose("on_connect", holdsReload: true)
  package static let message = RunPurpose("process_message", holdsReload: true)
  package static let session = RunPurpose("session")
  package static let onDisconnect = RunPurpose("on_disconnect")
  package static let onShutdown = RunPurpose("on_shutdown")
  package static let task = RunPurpose("task")
  package static let timer = RunPurpose("timer")
  package static let console = RunPurpose("the console", isForeign: true)
  package static let evaluated = RunPurpose("evaluated code", holdsReload: true)
}

/// How a run ended. The task's thread still holds its results when the completion runs, and no longer after it.
package enum RunOutcome {
  case finished
  case failed(ScriptError)

  /// An error names the connection whose run it ended, and whose code that was.
  func about(_ task: ScriptTask) -> RunOutcome {
    guard case .failed(var error) = self else { return self }
    if let side = task.connection { error.connection = side.connection.id.rawValue }
    error.isForeign = error.isForeign || task.isForeign
    return .failed(error)
  }
}

/// One run of Lua code that may wait: a pooled coroutine and what it is doing.
///
/// Reused, so that a hook that never waits allocates nothing.
package final class ScriptTask {
  package let thread: LuaThread
  /// 0 until something asks for it: most runs end without ever being named.
  @exclusivity(unchecked) package internal(set) var id: Int64 = 0
  @exclusivity(unchecked) package internal(set) var purpose: RunPurpose = .task
  /// The connection whose end ends this run, as the errors of the run name it.
  @exclusivity(unchecked) package internal(set) var connection: ConnectionScript?
  /// The connection whose run started this one, or an earlier one in the line; nil: nobody's.
  @exclusivity(unchecked) var origin: ConnectionScript?
  /// A foreign run started it, or an earlier one in the line.
  @exclusivity(unchecked) var hasForeignOrigin = false
  /// What it is parked on; nil while it runs or when it has not started.
  @exclusivity(unchecked) var wait: ScriptWait?
  /// What its next wait raises.
  @exclusivity(unchecked) var cancellation: ScriptError?
  /// The run must come to its end: from now on every wait raises `cancellation`.
  @exclusivity(unchecked) var isEnding = false
  /// How many waits of a run that must end have been refused.
  @exclusivity(unchecked) var refusedWaits = 0
  @exclusivity(unchecked) var completion: ((ScriptTask, RunOutcome) -> Void)?
  /// Ends the measurement of a run that has no completion: a task, a timer.
  @exclusivity(unchecked) var timing: (() -> Void)?
  /// Runs when a spawned task ends, in the order they were asked for.
  @exclusivity(unchecked) var watchers: [LuaRef] = []
  @exclusivity(unchecked) var isLive = false
  /// The error value of a failed run, while its watchers are told.
  @exclusivity(unchecked) var failure: LuaRef?

  /// What goes wrong in it is not the script's fault.
  var isForeign: Bool { hasForeignOrigin || purpose.isForeign }

  init(thread: LuaThread) {
    self.thread = thread
    thread.owner = self
  }

  deinit {
    thread.owner = nil
  }

  /// Back to what a fresh task is, keeping the coroutine.
  func reset() {
    id = 0
    connection = nil
    origin = nil
    hasForeignOrigin = false
    wait = nil
    cancellation = nil
    isEnding = false
    refusedWaits = 0
    completion = nil
    isLive = false
  }
}
