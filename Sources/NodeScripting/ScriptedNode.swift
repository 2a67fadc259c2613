public import LuaHost
public import NodeCore
public import NodeEngine
import Synchronization

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
  /// Paths of Unix sockets, or of folders of them, at which the script may dial and listen. Those of `listen` in ``defaults``
  /// and ``configuration`` are allowed too; any other is refused, whether or not the script is trusted.
  public var unixSockets: [String] = []
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
  /// What the script declares; after a reload, what the new one does.
  public var declaration: ScriptDeclaration { declared.withLock { $0 } }
  private let declared: Mutex<ScriptDeclaration>
  let generations: LoopBound<Generations>
  let scheduler: any Scheduler
  /// Where the script in force was read from.
  let path: Mutex<String>

  private init(_ node: Node, _ generations: LoopBound<Generations>, _ environment: NodeEnvironment) {
    self.node = node
    self.generations = generations
    let script = generations.value.current.script
    declared = Mutex(script.declaration)
    path = Mutex(script.path)
    name = node.name
    scheduler = environment.scheduler
    generations.value.onChange = { [weak self] next in
      self?.declared.withLock { $0 = next.script.declaration }
      self?.path.withLock { $0 = next.script.path }
    }
  }

  /// The code in force; on the loop.
  var hooks: LoopBound<ScriptHooks> { LoopBound(generations.value.current) }

  /// Loads and validates a script: its top level runs, without network.
  ///
  /// - Throws: ``ScriptError`` that names file and line, and what to do.
  public static func load(
    _ source: ScriptSource, options: ScriptOptions = ScriptOptions(), environment: NodeEnvironment,
    directory: NodeDirectory? = nil
  ) async throws(ScriptError) -> ScriptedNode {
    let made: Result<ScriptedNode, ScriptError> = await withCheckedContinuation { continuation in
      environment.scheduler.execute {
        LoadedScript.load(source, options: options, environment: environment) { loaded in
          // Once the run of its top level is over, and still on the loop, where everything of the script belongs.
          environment.scheduler.defer {
            continuation.resume(
              returning: Result { () throws(ScriptError) in try make(loaded.get(), options, environment, directory) })
          }
        }
      }
    }
    return try made.get()
  }

  private static func make(
    _ script: LoadedScript, _ options: ScriptOptions, _ environment: NodeEnvironment, _ directory: NodeDirectory?
  ) throws(ScriptError) -> ScriptedNode {
    let bound = LoopBound(script)
    let box = GenerationsBox()
    do {
      let node = try Node(configuration: script.configuration, environment: environment) { local in
        let hooks = try ScriptHooks(bound.value, node: local, directory: directory)
        let generations = Generations(hooks, options: options, environment: environment)
        box.generations = LoopBound(generations)
        return generations
      }
      let generations = box.generations!
      let scripted = ScriptedNode(node, generations, environment)
      if let directory {
        guard directory.insert(scripted) else {
          generations.value.stopped()
          throw ScriptError(
            code: .configuration, message: "a node named \"\(node.name)\" runs already; give this one another name")
        }
        // A node may end itself.
        generations.value.onStopped = { [weak scripted] in scripted.map { directory.remove($0) } }
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
    try await ask(.beginning) { hooks, completion in
      hooks.answer(hooks.glue.call, RunPurpose("call \(name)", holdsReload: true)) { pack in
        pack.string(name)
        for argument in arguments { pack.value(argument) }
      } _: {
        completion($0)
      }
    }
  }

  /// Runs Lua code inside the node: an expression or statements, with `node` in scope and the arguments as `...`;
  /// gives all it returns, as plain data.
  ///
  /// - Throws: ``ScriptError``: code `load` where it is no Lua; what it raised; kind `shutdown` where the node has stopped.
  public func evaluate(_ code: String, _ arguments: [LuaValue] = []) async throws(ScriptError) -> [LuaValue] {
    // Somebody waits at a console, perhaps to see what keeps the node busy.
    try await ask(.goingOn) { hooks, completion in hooks.evaluate(code, arguments, completion) }
  }

  func ask(
    _ line: ScriptTurns.Line,
    _ question: @escaping @Sendable (ScriptHooks, @escaping (Result<[LuaValue], ScriptError>) -> Void) -> Void
  ) async throws(ScriptError) -> [LuaValue] {
    let generations = generations
    let result: Result<[LuaValue], ScriptError> = await withCheckedContinuation { continuation in
      scheduler.execute {
        let turns = generations.value.current.runtime.turns
        let callOff = { [self] in
          continuation.resume(
            returning: .failure(ScriptError(code: .engine, kind: "shutdown", message: "the node \(name) shuts down")))
        }
        // The code in force when its turn comes, which may be newer.
        turns.run(line, callOff: callOff) {
          question(generations.value.current) { continuation.resume(returning: $0) }
        }
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

private final class GenerationsBox: @unchecked Sendable {
  // Written and read in one call on the loop.
  var generations: LoopBound<Generations>?
}
