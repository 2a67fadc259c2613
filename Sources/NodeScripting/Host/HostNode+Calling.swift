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
          waiting.value.account.asked.end(arguments.bytes)
          switch result {
          case .success(let values):
            waiting.value.wait.resume { pack in values.forEach { pack.value($0) } }
            node.letGo(values)
          case .failure(let error): waiting.value.wait.fail(error)
          }
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

/// The caller's side of a call that is under way; belongs to the caller's loop.
private final class WaitingCall {
  let wait: ScriptWait
  let account: CallAccount

  init(_ wait: ScriptWait, _ account: CallAccount) {
    self.wait = wait
    self.account = account
  }
}
