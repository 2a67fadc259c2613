import LuaHost
import NodeEngine

/// What the outside asks of a running script.
extension ScriptHooks {
  func answer(
    _ function: LuaRef, _ purpose: RunPurpose, _ arguments: (inout LuaPack) -> Void,
    _ completion: @escaping (Result<[LuaValue], ScriptError>) -> Void
  ) {
    guard !runtime.isStopped else {
      return completion(.failure(ScriptError(code: .engine, kind: "shutdown", message: "the node \(node.name) has stopped")))
    }
    let timing = node.timing(.call)
    runtime.run(function, purpose, arguments: arguments) { [self] task, outcome in
      timing?()
      switch outcome {
      case .finished:
        do throws(LuaError) {
          completion(.success(try task.thread.results()))
        } catch {
          completion(.failure(ScriptError(error, hook: purpose.name)))
        }
      case .failed(let error):
        // An error is the caller's to count; a budget is this node's.
        if error.code == .budget { count(error) }
        completion(.failure(error))
      }
    }
  }

  /// Runs code from outside; see ``ScriptedNode/evaluate(_:_:)``.
  func evaluate(
    _ code: String, _ arguments: [LuaValue], _ completion: @escaping (Result<[LuaValue], ScriptError>) -> Void
  ) {
    let chunk: LuaRef
    do throws(ScriptError) { chunk = try compile(code) } catch { return completion(.failure(error)) }
    answer(glue.evaluate, .evaluated) { pack in
      pack.ref(chunk)
      for argument in arguments { pack.value(argument) }
    } _: { [self] result in
      runtime.vm.release(chunk)
      completion(result)
    }
  }

  /// Code from outside as a function of the node: as an expression where it is one, else as statements.
  func compile(_ code: String) throws(ScriptError) -> LuaRef {
    let head = "local node = ... return function(...) "
    do throws(LuaError) {
      if let expression = try? runtime.vm.load(head + "return " + code + "\nend", chunkName: "=(code)") {
        return expression
      }
      return try runtime.vm.load(head + code + "\nend", chunkName: "=(code)")
    } catch {
      throw ScriptError(mistake(in: code) ?? error, code: .load)
    }
  }

  /// What is wrong with the code by itself, without what stands around it here. Code that breaks off says `near <eof>`,
  /// whichever of the two it would become.
  private func mistake(in code: String) -> LuaError? {
    func load(_ text: String) -> LuaError? {
      do throws(LuaError) {
        runtime.vm.release(try runtime.vm.load(text, chunkName: "=(code)"))
        return nil
      } catch {
        // A string in quotes ends with its line: no other line makes it whole, and so it is said.
        return error.message.hasSuffix("unfinished string near <eof>") ? load(text + "\n") : error
      }
    }
    // Without the line that a line's end begins, where the code would seem to break off.
    var code = code
    while code.utf8.last.map({ " \t\r\n".utf8.contains($0) }) == true { code.unicodeScalars.removeLast() }
    guard let statement = load(code) else { return nil }
    if statement.message.hasSuffix("<eof>") { return statement }
    return load("return " + code).flatMap { $0.message.hasSuffix("<eof>") ? $0 : nil } ?? statement
  }
}
