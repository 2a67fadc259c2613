import LuaHost
import NodeCore
import NodeEngine

extension HostNode {
  static let calling: [(String, LuaNative)] = [("call", call)]

  /// call(target, name, ...) → what the other script's call returns; parks; raises what it raises
  private static let call: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    guard let target = call.string(1), let name = call.string(2) else {
      return call.raise("usage", "node:call: a node's name and a call's name are expected")
    }
    let depth = (hooks.runtime.current?.purpose.callDepth ?? 0) + 1
    guard depth <= CallAccount.deepest else {
      return call.blame(
        "limit",
        "node:call: \(CallAccount.deepest) calls wait for each other already, this would be one more; "
          + "does \"\(name)\" come back to where it began?")
    }
    let arguments: CallArguments
    switch Self.arguments(of: call, hooks) {
    case .success(let taken): arguments = taken
    case .failure(let error): return call.blame(error.kind, error.message)
    }
    guard let node = hooks.directory?.node(named: target) else {
      let known = hooks.directory?.names ?? []
      let hint = NearestName.suggestion(for: target, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
      return call.raise("unknown", "node:call: no node named \"\(target)\" in this process\(hint)")
    }
    let scheduler = hooks.runtime.scheduler
    let room = CallAccount.room(hooks.node.configuration)
    let results = "the results of calls of \(hooks.node.name)"
    return hooks.runtime.park(call, "node:call") { wait in
      // Counted until the call has ended: cancelling the run ends the wait and not the work.
      hooks.calls.asked.begin(arguments.bytes)
      let waiting = LoopBound(WaitingCall(wait, hooks.calls))
      scheduler.startTask {
        let result: Result<[LuaValue], ScriptError>
        do throws(ScriptError) {
          result = .success(try await node.answer(name, arguments, depth: depth))
        } catch {
          result = .failure(error)
        }
        scheduler.execute {
          let (wait, account) = (waiting.value.wait, waiting.value.account)
          guard case .success(let values) = result, !values.isEmpty else {
            account.asked.end(arguments.bytes)
            if case .failure(let error) = result { wait.fail(error) } else { wait.resume { _ in } }
            return
          }
          let bytes = values.footprint
          if let refusal = account.asked.refusal(ofBytes: bytes, results, room: room) {
            account.asked.end(arguments.bytes)
            node.letGo(values)
            return wait.fail(refusal)
          }
          account.asked.hold(bytes)
          let held = HeldResults(values) {
            account.asked.end(arguments.bytes + bytes)
            node.letGo(values)
          }
          // Its turn may be some time off.
          wait.resume { pack in held.take().forEach { pack.value($0) } }
        }
      }
      return {}
    }
  }

  /// A call's arguments as plain data, as far as there is room for them: looked at before they are copied.
  private static func arguments(of call: LuaCall, _ hooks: ScriptHooks) -> Result<CallArguments, ScriptError> {
    let configuration = hooks.node.configuration
    let asked = hooks.calls.asked
    let whose = "of \(hooks.node.name)"
    var bytes = 0
    if let refusal = asked.refusal(whose, adding: 0, configuration) { return .failure(refusal) }
    var values: [LuaValue] = []
    for index in 2..<max(2, call.argumentCount) {
      let text = call.bytes(Int32(index) + 1)
      if let refusal = asked.refusal(whose, adding: bytes + (text?.count ?? 0), configuration) { return .failure(refusal) }
      do throws(LuaError) {
        let value = try call.plain(Int32(index) + 1)
        bytes += [value].footprint
        values.append(value)
      } catch {
        return .failure(
          ScriptError(
            code: .script, kind: "usage",
            message: "node:call: argument \(index - 1) cannot be handed over: \(error.message)"))
      }
    }
    if let refusal = asked.refusal(whose, adding: bytes, configuration) { return .failure(refusal) }
    return .success(CallArguments(values, bytes: bytes))
  }
}

/// The results of a call on their way into the script that asked: counted until they are there, or nobody waits any more.
private final class HeldResults {
  private var values: [LuaValue]
  private var letGo: (() -> Void)?

  init(_ values: [LuaValue], letGo: @escaping () -> Void) {
    self.values = values
    self.letGo = letGo
  }

  func take() -> [LuaValue] {
    defer { release() }
    return values
  }

  private func release() {
    let letGo = letGo
    (self.letGo, values) = (nil, [])
    letGo?()
  }

  deinit { release() }
}

/// The caller's side of a call that is under way; belongs to the caller's loop.
private final class WaitingCall {
  let wait: ScriptWait
  let account: CallAccount

  init(_ wait: ScriptWait, _ account: CallAccount) {
    self.wait = wait
    self.account = account
  }
}
