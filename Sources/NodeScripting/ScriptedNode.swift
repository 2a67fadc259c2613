public import LuaHost
public import NodeCore
public import NodeEngine

/// How a script is to be run.
public struct ScriptOptions: Sendable {
  /// What the configuration starts from, before the script's own `config`.
  public var defaults = NodeConfiguration()
  /// Set over the script's own `config`.
  public var configuration: [(key: String, value: ConfigurationValue)] = []
  /// The script's declared arguments; texts are converted to the declared types.
  public var arguments: [String: LuaValue] = [:]
  /// All of Lua's libraries, for scripts that are trusted with the machine.
  public var isTrusted = false
  /// Goes before every other name; nil: the configuration's, or a sequential one.
  public var name: String?

  /// Nothing set: the defaults and what the script says.
  public init() {}
}

/// A node whose logic is a Lua script.
public final class ScriptedNode: Sendable {
  /// The engine underneath: connections, counters, shutdown.
  public let node: Node
  /// The node's name, by which a ``NodeDirectory`` knows it.
  public let name: String
  /// What the script declares.
  public let declaration: ScriptDeclaration
  let hooks: LoopBound<ScriptHooks>
  private let scheduler: any Scheduler

  private init(
    _ node: Node, _ hooks: LoopBound<ScriptHooks>, _ declaration: ScriptDeclaration, _ environment: NodeEnvironment
  ) {
    self.node = node
    self.hooks = hooks
    self.declaration = declaration
    name = node.name
    scheduler = environment.scheduler
  }

  /// Loads and validates a script: its top level runs, without network.
  ///
  /// - Throws: ``ScriptError`` that names file and line, and what to do.
  public static func load(
    _ source: ScriptSource, options: ScriptOptions = ScriptOptions(), environment: NodeEnvironment,
    directory: NodeDirectory? = nil
  ) async throws(ScriptError) -> ScriptedNode {
    let result: Result<LoopBound<LoadedScript>, ScriptError> = await withCheckedContinuation { continuation in
      environment.scheduler.execute {
        LoadedScript.load(source, options: options, environment: environment) {
          continuation.resume(returning: $0.map { LoopBound($0) })
        }
      }
    }
    let script = try result.get()
    // The node's parts are made on its loop, where everything of the script belongs.
    let made: Result<ScriptedNode, ScriptError> = await withCheckedContinuation { continuation in
      environment.scheduler.execute {
        continuation.resume(returning: Result { () throws(ScriptError) in try make(script.value, environment, directory) })
      }
    }
    return try made.get()
  }

  private static func make(
    _ script: LoadedScript, _ environment: NodeEnvironment, _ directory: NodeDirectory?
  ) throws(ScriptError) -> ScriptedNode {
    let bound = LoopBound(script)
    let box = HooksBox()
    do {
      let node = try Node(configuration: script.configuration, environment: environment) { local in
        let hooks = try ScriptHooks(bound.value, node: local, directory: directory)
        box.hooks = LoopBound(hooks)
        return hooks
      }
      let hooks = box.hooks!
      let scripted = ScriptedNode(node, hooks, script.declaration, environment)
      if let directory {
        guard directory.insert(scripted) else {
          hooks.value.stopped()
          throw ScriptError(
            code: .configuration, message: "a node named \"\(node.name)\" runs already; give this one another name")
        }
        // A node may end itself.
        hooks.value.onStopped = { [weak scripted] in scripted.map { directory.remove($0) } }
      }
      return scripted
    } catch let error as ScriptError {
      throw error
    } catch let error as NodeError {
      throw error.cause as? ScriptError ?? ScriptError(code: .configuration, message: error.message)
    } catch {
      throw ScriptError(code: .load, message: "\(error)")
    }
  }

  /// Loads a script only to see what it declares; every mistake that can be found without running hooks is listed.
  ///
  /// - Parameter options: how its top level is run (trust, memory, time); its arguments and configuration are not applied.
  public static func inspect(
    _ source: ScriptSource, options: ScriptOptions = ScriptOptions(), environment: NodeEnvironment
  ) async throws(ScriptError) -> ScriptDeclaration {
    let result: Result<ScriptDeclaration, ScriptError> = await withCheckedContinuation { continuation in
      environment.scheduler.execute {
        LoadedScript.inspect(source, options: options, environment: environment) { continuation.resume(returning: $0) }
      }
    }
    return try result.get()
  }

  /// Runs the script's `init`, then listens. Once in a node's life.
  ///
  /// - Throws: ``ScriptError``: what `init` raised, with its place and traceback; or code `engine` where it cannot listen.
  public func start() async throws(ScriptError) {
    do {
      try await node.start()
    } catch {
      throw error.cause as? ScriptError ?? ScriptError(code: .engine, kind: error.code.rawValue, message: error.message)
    }
  }

  /// Runs one of the script's `calls` and gives all it returns; plain data in and out.
  ///
  /// - Throws: ``ScriptError``: what the call raised; kind `unknown_call` where there is none of that name, `shutdown` where
  ///   the node has stopped.
  public func call(_ name: String, _ arguments: [LuaValue] = []) async throws(ScriptError) -> [LuaValue] {
    let hooks = hooks
    return try await run(RunPurpose("call \(name)"), { hooks.value.glue.call }) { pack in
      pack.string(name)
      for argument in arguments { pack.value(argument) }
    }
  }

  /// Runs Lua code inside the node: an expression or statements, with `node` in scope and the arguments as `...`;
  /// gives all it returns, as plain data.
  ///
  /// - Throws: ``ScriptError``: code `load` where it is no Lua; what it raised; kind `shutdown` where the node has stopped.
  public func evaluate(_ code: String, _ arguments: [LuaValue] = []) async throws(ScriptError) -> [LuaValue] {
    let hooks = hooks
    let scheduler = scheduler
    let compiled: Result<LuaRef, ScriptError> = await withCheckedContinuation { continuation in
      scheduler.execute {
        continuation.resume(returning: Result { () throws(ScriptError) in try hooks.value.compile(code) })
      }
    }
    let chunk = try compiled.get()
    defer { scheduler.execute { hooks.value.runtime.vm.release(chunk) } }
    return try await run(RunPurpose("evaluated code"), { hooks.value.glue.evaluate }) { pack in
      pack.ref(chunk)
      for argument in arguments { pack.value(argument) }
    }
  }

  private func run(
    _ purpose: RunPurpose, _ function: @escaping @Sendable () -> LuaRef,
    _ arguments: @escaping @Sendable (inout LuaPack) -> Void
  ) async throws(ScriptError) -> [LuaValue] {
    let hooks = hooks
    let scheduler = scheduler
    let result: Result<[LuaValue], ScriptError> = await withCheckedContinuation { continuation in
      scheduler.execute {
        hooks.value.answer(function(), purpose, arguments) { continuation.resume(returning: $0) }
      }
    }
    return try result.get()
  }

  /// In order: `on_shutdown`, `on_disconnect` for every connection, what is queued, the port.
  public func shutDown() async {
    await node.shutDown()
  }

  /// Cuts everything at once, without hooks, as a crash would.
  public func crash() async {
    await node.crash()
  }
}

private final class HooksBox: @unchecked Sendable {
  // Written and read in one call on the loop.
  var hooks: LoopBound<ScriptHooks>?
}
