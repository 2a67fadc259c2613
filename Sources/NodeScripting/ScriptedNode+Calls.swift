import LuaHost
import NodeEngine
import Synchronization

/// One script's call of another on its way: its values stand outside of both, so they are let go of as soon as they arrive.
final class CallArguments: Sendable {
  let bytes: Int
  private let values: Mutex<[LuaValue]>

  init(_ values: [LuaValue], bytes: Int) {
    self.values = Mutex(values)
    self.bytes = bytes
  }

  func take() -> [LuaValue] {
    values.withLock { values in
      defer { values = [] }
      return values
    }
  }
}

extension ScriptedNode {
  /// Runs one of the script's `calls` for another script, within this node's bounds. What it gives is held here, and counted,
  /// until ``letGo(_:)``.
  ///
  /// - Parameter depth: how many calls stand one upon the other with it.
  func answer(_ name: String, _ arguments: CallArguments, depth: UInt8) async throws(ScriptError) -> [LuaValue] {
    try await ask(.beginning) { hooks, completion in
      let account = hooks.calls
      let configuration = hooks.node.configuration
      if let refusal = account.answered.refusal("asked of \(hooks.node.name)", adding: arguments.bytes, configuration) {
        return completion(.failure(refusal))
      }
      account.answered.begin(arguments.bytes)
      var purpose = RunPurpose("call \(name)", holdsReload: true)
      purpose.callDepth = depth
      hooks.answer(hooks.glue.call, purpose) { pack in
        pack.string(name)
        for argument in arguments.take() { pack.value(argument) }
      } _: { result in
        account.answered.end(arguments.bytes)
        guard case .success(let values) = result else { return completion(result) }
        let bytes = values.footprint
        let what = "the results of calls asked of \(hooks.node.name)"
        if let refusal = account.answered.refusal(ofBytes: bytes, what, hooks.node.configuration) {
          return completion(.failure(refusal))
        }
        account.answered.hold(bytes)
        completion(result)
      }
    }
  }

  /// The results of a call have arrived. From any thread.
  func letGo(_ results: [LuaValue]) {
    let bytes = results.footprint
    guard bytes > 0 else { return }
    let generations = generations
    scheduler.execute { generations.value.current.calls.answered.letGo(bytes) }
  }
}
