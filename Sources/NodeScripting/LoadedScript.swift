import Logging
import LuaHost
import NodeCore
import NodeEngine

/// A script whose top level has run and whose table is in order. No network yet.
package final class LoadedScript {
  /// Where it came from, its modules' files included: what a watcher looks at.
  var files: [String] { [path] + runtime.modules.loaded }
  let path: String
  let runtime: ScriptRuntime
  let declaration: ScriptDeclaration
  let unixSockets: UnixSockets
  private(set) var configuration = NodeConfiguration()
  private let table: LuaRef
  /// The values of what it declares as `args`.
  let arguments: LuaRef

  private init(
    runtime: ScriptRuntime, source: ScriptSource, table: LuaRef, declaration: ScriptDeclaration,
    options: ScriptOptions
  ) throws(ScriptError) {
    self.runtime = runtime
    path = source.path
    self.table = table
    self.declaration = declaration
    unixSockets = UnixSockets(options)
    func hook(_ name: String) -> LuaRef? { declaration.hooks.contains(name) ? runtime.vm.field(table, name) : nil }
    processMessage = hook("process_message")
    onConnect = hook("on_connect")
    session = hook("session")
    onDisconnect = hook("on_disconnect")
    onShutdown = hook("on_shutdown")
    arguments = try Self.arguments(runtime, table, declaration, options.arguments, source)
    configuration = try Self.configuration(of: declaration, options, source, unixSockets)
    noteRaisedWalls(options)
    // The top level ran under its caller's limits: only now is it known what the script asks for.
    runtime.vm.limits = LuaLimits(memory: configuration.scriptMemory, time: configuration.scriptTime)
  }

  /// What protects the process from the script, and the script has made wider than it was given: to be known by whoever runs it.
  private func noteRaisedWalls(_ options: ScriptOptions) {
    guard !options.isTrusted else { return }
    for key in NodeConfiguration.keys where key.isWall && !options.configuration.contains(where: { $0.key == key.name }) {
      guard let given = key.amount(in: options.defaults), let asked = key.amount(in: configuration), given > 0, asked > given
      else { continue }
      runtime.logger.warning(
        "the script's config raises \(key.name) from \(key.text(given)) to \(key.text(asked)); \(key.option) on the command line goes before it"
      )
    }
  }

  func has(_ name: String) -> Bool { declaration.hooks.contains(name) }
  // By name and not looked up: asked for with each connection, or each read.
  let processMessage, onConnect, session, onDisconnect, onShutdown: LuaRef?
  var codecIsChosenPerConnection: Bool { declaration.codec == .perConnection }

  /// Loaded with the first connection or call. Where there is no memory for it, what would use it raises.
  var glue: Glue {
    if let loadedGlue { return loadedGlue }
    guard let made = try? Glue(runtime) else { return .none }
    loadedGlue = made
    return made
  }
  private var loadedGlue: Glue?

  /// What starts the script, a function of the node's handle and its arguments, which the caller releases; nil: nothing does.
  func startFunction() throws(ScriptError) -> LuaRef? {
    guard !declaration.timers.isEmpty else { return runtime.vm.field(table, "init") }
    do {
      return try Self.function("start", of: "loading", runtime)
    } catch {
      throw ScriptError(error, code: .load)
    }
  }

  func makeNodeHandle(name: String, id: UInt64) throws(ScriptError) -> LuaRef {
    do throws(LuaError) {
      try runtime.vm.setField(runtime.host, "script") { $0.ref(table) }
      let make = try Self.function("make", of: "node", runtime)
      defer { runtime.vm.release(make) }
      return try runtime.vm.callNowRef(make) { pack in
        pack.string(name)
        pack.integer(Int64(id))
        pack.ref(arguments)
      }
    } catch {
      throw ScriptError(error, code: .load)
    }
  }

  // Loading

  /// Loads and validates a script on the scheduler's loop; its top level may wait.
  ///
  /// - Parameter noting: gets the files that were read, also where that fails.
  static func load(
    _ source: ScriptSource, options: ScriptOptions, environment: NodeEnvironment,
    noting: @escaping ([String]) -> Void = { _ in }, completion: @escaping (Result<LoadedScript, ScriptError>) -> Void
  ) {
    func fail(_ error: ScriptError) { completion(.failure(error)) }
    do throws(ScriptError) {
      let runtime = try makeRuntime(source, options, environment)
      try examine(source, runtime) { result in
        let loaded = Result { () throws(ScriptError) in
          let (table, declaration) = try result.get()
          if let problem = declaration.problems.first { throw ScriptError(problem, of: declaration.problems.count) }
          return try LoadedScript(
            runtime: runtime, source: source, table: table, declaration: declaration, options: options)
        }
        noting([source.path] + runtime.modules.loaded)
        if case .failure = loaded { runtime.scheduler.defer { runtime.stop() } }
        completion(loaded)
      }
    } catch {
      fail(error)
    }
  }

  /// Only looks: the declaration with all its problems.
  static func inspect(
    _ source: ScriptSource, options: ScriptOptions, environment: NodeEnvironment,
    completion: @escaping (Result<ScriptDeclaration, ScriptError>) -> Void
  ) {
    do throws(ScriptError) {
      let runtime = try makeRuntime(source, options, environment)
      try examine(source, runtime) { result in
        completion(result.map { $0.declaration })
        runtime.scheduler.defer { runtime.stop() }
      }
    } catch {
      completion(.failure(error))
    }
  }

  private static func makeRuntime(
    _ source: ScriptSource, _ options: ScriptOptions, _ environment: NodeEnvironment
  ) throws(ScriptError) -> ScriptRuntime {
    // What the script itself asks for is not known yet; what its caller sets is.
    var limits = options.defaults
    for (key, value) in options.configuration where key.hasPrefix("script_") { try? limits.set(key, to: value) }
    var logger = environment.logger
    logger[metadataKey: "node"] = "\(options.name ?? source.fileName)"
    return try ScriptRuntime(
      scheduler: environment.scheduler, logger: logger,
      limits: LuaLimits(memory: limits.scriptMemory, time: limits.scriptTime), trusted: options.isTrusted,
      root: SearchPath([source.directory]))
  }

  private typealias Examined = (table: LuaRef, declaration: ScriptDeclaration)

  /// Runs the script's top level and looks at the table it returns.
  private static func examine(
    _ source: ScriptSource, _ runtime: ScriptRuntime, completion: @escaping (Result<Examined, ScriptError>) -> Void
  ) throws(ScriptError) {
    let main: LuaRef
    do {
      main = try runtime.load(source)
    } catch {
      throw error.code == .budget ? ScriptRuntime.tooLittle(runtime.vm.limits) : error
    }
    runtime.run(main, .script) { task, outcome in
      runtime.vm.release(main)
      completion(
        Result { () throws(ScriptError) in
          if case .failed(var error) = outcome {
            if error.code != .budget { error.code = .load }
            throw error
          }
          let values = task.thread.resultRefs()
          defer { for value in values { runtime.vm.release(value) } }
          if let first = values.first, let table = ScriptTable(first, in: runtime) { return (table.prepared, table.declaration) }
          let examined: LuaRef
          do throws(LuaError) {
            examined = try callLoading("examine", runtime) { pack in
              if let value = values.first { pack.ref(value) } else { pack.nil() }
            }
          } catch {
            throw error.kind == .memory ? ScriptRuntime.tooLittle(runtime.vm.limits) : ScriptError(error, code: .load)
          }
          defer { runtime.vm.release(examined) }
          let table = runtime.vm.field(examined, "prepared") ?? .none
          return (table, try ScriptDeclaration(examined, in: runtime, source))
        })
    }
  }

  /// A function of a shipped chunk's; the caller releases it.
  private static func function(_ name: String, of chunk: String, _ runtime: ScriptRuntime) throws(LuaError) -> LuaRef {
    let table = try runtime.chunk(chunk)
    defer { runtime.vm.release(table) }
    guard let function = runtime.vm.field(table, name) else {
      throw LuaError(kind: .runtime, message: "\(chunk).\(name) is missing")
    }
    return function
  }

  private static func callLoading(
    _ name: String, _ runtime: ScriptRuntime, _ arguments: (inout LuaPack) -> Void
  ) throws(LuaError) -> LuaRef {
    let function = try function(name, of: "loading", runtime)
    defer { runtime.vm.release(function) }
    return try runtime.vm.callNowRef(function, arguments)
  }

  private static func arguments(
    _ runtime: ScriptRuntime, _ table: LuaRef, _ declaration: ScriptDeclaration, _ given: [String: LuaValue],
    _ source: ScriptSource
  ) throws(ScriptError) -> LuaRef {
    let values = LuaTable(fields: given.keys.sorted().map { LuaField(key: LuaValue($0), value: given[$0]!) })
    do {
      if declaration.arguments.isEmpty, given.isEmpty { return try runtime.vm.newTable() }
      return try callLoading("arguments", runtime) { pack in
        pack.ref(table)
        pack.value(.table(values))
      }
    } catch {
      throw ScriptError(code: .configuration, message: error.message, location: source.path)
    }
  }

  /// Defaults, then the script's `config`, then what the caller sets.
  private static func configuration(
    of declaration: ScriptDeclaration, _ options: ScriptOptions, _ source: ScriptSource, _ unixSockets: UnixSockets
  ) throws(ScriptError) -> NodeConfiguration {
    var configuration = options.defaults
    for (key, value) in declaration.configuration {
      do {
        try configuration.set(key, to: value)
      } catch {
        throw ScriptError(
          code: .configuration, message: "config: \(error.message)", location: source.location(ofKey: key))
      }
    }
    do throws(NodeCoreError) {
      for (key, value) in options.configuration { try configuration.set(key, to: value) }
      if let name = options.name { configuration.name = name }
      configuration = try configuration.validated()
    } catch {
      throw ScriptError(code: .configuration, message: error.message)
    }
    // What is not the caller's is the script's.
    if let problem = configuration.listen.compactMap(unixSockets.problem).first {
      throw ScriptError(
        code: .configuration, message: "config: listen: \(problem.message)", location: source.location(ofKey: "listen"))
    }
    return configuration
  }
}

extension ConfigurationKey {
  /// The number it stands for: seconds, bytes or a count; nil for a key of another kind.
  fileprivate func amount(in configuration: NodeConfiguration) -> Double? {
    switch value(of: configuration) {
    case .integer(let number)?: Double(number)
    case .number(let number)?: number
    default: nil
    }
  }

  fileprivate func text(_ amount: Double) -> String {
    kind == .duration ? "\(amount) s" : kind == .size ? "\(Int(amount)) bytes" : "\(Int(amount))"
  }
}
