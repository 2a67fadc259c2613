internal import CLua

/// How a run ended, or that it waits.
public enum LuaRunStatus: Sendable {
  case finished
  /// A native parked it; ``LuaVM/resume(_:with:)`` goes on.
  case parked
  /// ``LuaThread/takeError()`` says why; the thread is ready for another run.
  case failed
}

/// A coroutine that runs happen in; reused, so that a run that never waits allocates nothing.
///
/// Keeps its VM alive, and goes on the thread the VM belongs to.
public final class LuaThread {
  let raw: UnsafeMutablePointer<clua_thread>
  /// Whatever the host finds by it in a native. Not retained, as a rule it is what holds the thread: whoever sets it
  /// takes it away when it goes.
  public unowned(unsafe) var owner: AnyObject?
  private let vm: LuaVM

  init?(_ vm: LuaVM) {
    guard let raw = clua_thread_new(vm.raw, nil) else { return nil }
    self.raw = raw
    self.vm = vm
    raw.pointee.host = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    clua_thread_free(raw)
  }

  /// How many values the run returned.
  public var resultCount: Int { Int(raw.pointee.results) }

  /// What the run returned, as plain data.
  public func results() throws(LuaError) -> [LuaValue] {
    var pack = clua_pack()
    defer { clua_pack_free(&pack) }
    for index in 0..<raw.pointee.results {
      if let problem = LuaError.problem({ clua_result(raw, index, &pack, $0, $1) }) {
        throw LuaError(kind: .type, message: "result \(index + 1): \(problem)")
      }
    }
    return LuaPackReader.values(pack)
  }

  /// What the run returned, as references the caller releases.
  public func resultRefs() -> [LuaRef] {
    (0..<raw.pointee.results).map { LuaRef(clua_result_ref(raw, $0)) }
  }

  /// Why the run failed, and the error value itself as a reference the caller releases.
  public func takeFailure() -> (error: LuaError, ref: LuaRef) {
    LuaError.taken(from: raw.pointee.vm)
  }

  /// Ends what the thread is doing: pending `<close>` handlers run, and cannot wait.
  public func abandon() { clua_abandon(raw) }

  /// Where a parked run stands.
  public var traceback: String {
    var text = clua_pack()
    defer { clua_pack_free(&text) }
    clua_stack(raw, &text)
    return text.text
  }
}
