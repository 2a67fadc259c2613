import LuaHost
import NodeEngine
import NodeScripting

/// A loaded scenario file: a Lua VM of its own on a loop of its own.
struct ScenarioFile: Sendable {
  struct Scenario: Sendable {
    var name: String
    var location: String
    var timeout: Duration
  }

  let scenarios: [Scenario]
  private let runtime: LoopBound<ScriptRuntime>
  private let library: LuaRef
  private let scheduler: any Scheduler

  private static let chunks: [(String, [UInt8])] = [
    ("network", PackageResources.network_lua), ("network_net", PackageResources.network_net_lua),
    ("network_node", PackageResources.network_node_lua), ("network_properties", PackageResources.network_properties_lua),
    ("network_report", PackageResources.network_report_lua), ("network_run", PackageResources.network_run_lua),
  ]

  static func load(_ path: String, environment: NodeEnvironment) async throws(ScenarioError) -> ScenarioFile {
    let source: ScriptSource
    do {
      source = try ScriptSource.file(path)
    } catch {
      throw ScenarioError(message: "\(error)")
    }
    let result: Result<ScenarioFile, ScriptError> = await withCheckedContinuation { continuation in
      environment.scheduler.execute {
        load(source, environment) { continuation.resume(returning: $0) }
      }
    }
    do {
      let file = try result.get()
      guard !file.scenarios.isEmpty else {
        file.close()
        throw ScriptError(
          code: .load,
          message: "there is no scenario in this file; declare one with network.scenario(\"name\", function(net) … end)",
          location: path)
      }
      return file
    } catch {
      throw ScenarioError(message: "\(error)")
    }
  }

  private static func load(
    _ source: ScriptSource, _ environment: NodeEnvironment, _ completion: @escaping (Result<ScenarioFile, ScriptError>) -> Void
  ) {
    do throws(ScriptError) {
      let runtime = try ScriptRuntime(
        scheduler: environment.scheduler, logger: environment.logger, limits: LuaLimits(memory: 256 << 20, time: .seconds(5)),
        trusted: false, root: SearchPath([source.directory]))
      let library: LuaRef
      do throws(LuaError) {
        try runtime.addNatives("network", NetworkNatives.natives)
        for (name, source) in Self.chunks { runtime.addChunk(name, source: source) }
        runtime.publish("network")
        library = try runtime.chunk("network_run")
      } catch {
        throw ScriptError(code: .load, message: error.message)
      }
      let main = try runtime.load(source)
      runtime.run(main, RunPurpose("the scenario file")) { _, outcome in
        completion(
          Result { () throws(ScriptError) in
            if case .failed(let error) = outcome {
              runtime.scheduler.defer { runtime.stop() }
              throw error
            }
            do throws(LuaError) {
              guard let list = runtime.vm.field(library, "list") else { throw LuaError(kind: .runtime, message: "no list") }
              let entries = try runtime.vm.callNow(list).first?.table?.array ?? []
              let scenarios = entries.compactMap(\.table).map { entry in
                Scenario(
                  name: entry["name"].text ?? "", location: wholePlace(entry["where"].text ?? "", in: source.path),
                  timeout: .milliseconds(entry["timeout"].int ?? 0))
              }
              return ScenarioFile(
                scenarios: scenarios, runtime: LoopBound(runtime), library: library, scheduler: environment.scheduler)
            } catch {
              throw ScriptError(code: .load, message: error.message)
            }
          })
      }
    } catch {
      completion(.failure(error))
    }
  }

  /// Runs one scenario to its end; how often its properties were looked at.
  func run(_ index: Int, in world: ScenarioWorld) async -> Result<Int, ScriptError> {
    let runtime = runtime
    let library = library
    return await withCheckedContinuation { continuation in
      scheduler.execute {
        let runtime = runtime.value
        runtime.extra = world
        let run = runtime.vm.field(library, "run")!
        runtime.run(run, RunPurpose("the scenario"), arguments: { $0.integer(Int64(index + 1)) }) { task, outcome in
          switch outcome {
          case .finished: continuation.resume(returning: .success(Int((try? task.thread.results())?.first?.int ?? 0)))
          case .failed(let error): continuation.resume(returning: .failure(error))
          }
        }
      }
    }
  }

  func close() {
    let runtime = runtime
    scheduler.execute { runtime.value.stop() }
  }
}
