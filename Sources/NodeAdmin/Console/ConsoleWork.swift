import NodeCore
import NodeEngine
import NodeScripting

/// The work one request makes, on no particular thread.
struct ConsoleWork: Sendable {
  let request: ConsoleRequest
  let host: ConsoleHost
  let answers: ConsoleAnswers
  /// A trace's messages, and its end.
  let onEvent: @Sendable (TraceEvent) -> Void
  /// Gets what ends a trace that has begun.
  let onTrace: @Sendable (@escaping @Sendable () -> Void) -> Void
  let onResult: @Sendable (Result<JSONValue, ConsoleProblem>) -> Void

  func start() -> Task<Void, Never> { Task { await run() } }

  private func run() async {
    do throws(ConsoleProblem) {
      switch request.question {
      case .cancel: break
      case .complete(let text):
        let words = await ConsoleCompletion(host: host).candidates(text, node: request.node)
        onResult(.success(["kind": "completion", "words": .array(words.map { .string($0) })]))
      case .line(.verb(.trace, let words)): try await trace(words)
      case .line(let line): onResult(.success(try await answers.answer(line, request)))
      }
    } catch {
      onResult(.failure(error))
    }
  }

  /// Goes on by itself: its result comes with its end.
  private func trace(_ words: [String]) async throws(ConsoleProblem) {
    var target = ConsoleTarget(.trace, words, host, request.node)
    let (node, connection) = try await target.connection()
    let end: (@Sendable () -> Void)?
    do throws(ScriptError) {
      end = try await node.trace(connection.info.id, rate: ConsoleProtocol.traceRate, onEvent)
    } catch {
      throw ConsoleProblem(error)
    }
    guard let end else { throw target.noConnection("\(connection.info.id)", of: node.name) }
    onTrace(end)
  }
}
