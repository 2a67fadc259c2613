import LuaHost
import NodeEngine
import NodeScripting
import NodeSupport
import Synchronization
import Testing

/// The nodes of one test: they log to one place, know each other by name, and are shut down at its end.
final class TestNodes: Sendable {
  let log = LogRecorder()
  let directory = NodeDirectory()
  private let loops: EpollLoops
  private let started = Mutex<[ScriptedNode]>([])

  fileprivate init(on loops: EpollLoops) { self.loops = loops }

  /// Loads a script without starting it.
  func load(
    _ text: String, name: String? = nil, file: String = "test.lua", _ change: (inout ScriptOptions) -> Void = { _ in }
  ) async throws(ScriptError) -> ScriptedNode {
    var options = ScriptOptions()
    options.name = name
    change(&options)
    let node = try await ScriptedNode.load(
      ScriptSource(name: file, text: text), options: options,
      environment: Backend.current.environment(logger: log.logger, on: loops), directory: directory)
    started.withLock { $0.append(node) }
    return node
  }

  func start(
    _ text: String, name: String? = nil, file: String = "test.lua", _ change: (inout ScriptOptions) -> Void = { _ in }
  ) async throws(ScriptError) -> ScriptedNode {
    let node = try await load(text, name: name, file: file, change)
    try await node.start()
    return node
  }

  func shutDown() async {
    for node in started.withLock({ $0 }) { await node.shutDown() }
    started.withLock { $0 = [] }
  }
}

/// Runs the body and shuts its nodes down afterwards, whatever happens.
func withNodes<T>(_ body: (TestNodes) async throws -> T) async throws -> T {
  try await withLoops { loops in
    let nodes = TestNodes(on: loops)
    do {
      let result = try await body(nodes)
      await nodes.shutDown()
      return result
    } catch {
      for line in nodes.log.lines { print(line.level, line.message, line.metadata) }
      await nodes.shutDown()
      throw error
    }
  }
}

extension ScriptedNode {
  /// The first result of Lua code run inside the node, with `node` in scope and the arguments as `...`.
  @discardableResult
  func lua(_ code: String, _ arguments: LuaValue...) async throws(ScriptError) -> LuaValue {
    try await evaluate(code, arguments).first ?? .nil
  }

  /// Where it listens, as a script takes it.
  var at: LuaValue {
    get async throws { LuaValue("\(try #require(await node.address))") }
  }
}

/// Looks again and again until the condition holds.
///
/// - Throws: what is not so after ten seconds: far more than any machine needs, and an end for a broken one.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < end else { throw NotSo(description: "not so within 10 s: \(what)") }
    try await Task.sleep(for: .milliseconds(2))
  }
}

/// The error a body throws, or nil.
func failure(_ body: () async throws -> Void) async -> ScriptError? {
  do {
    try await body()
    return nil
  } catch {
    return error as? ScriptError
  }
}
