import Glibc
import LuaHost

/// Finds the files that `require` asks for.
struct ModuleLoader {
  let root: SearchPath
  /// Every file a module was loaded from, in order; what a watcher has to look at.
  private(set) var loaded: [String] = []

  init(root: SearchPath) {
    self.root = root
  }

  /// Reads a module's text.
  ///
  /// - Throws: code `load` with the places that were looked in.
  mutating func read(_ name: String) throws(ScriptError) -> ScriptSource {
    if let problem = SearchPath.problem(with: name) {
      throw ScriptError(code: .load, kind: "load", message: "require \"\(name)\": \(problem)")
    }
    let candidates = root.candidates(for: name)
    for path in candidates {
      if let place = root.strays(path) {
        throw ScriptError(
          code: .load, kind: "load", message: "require \"\(name)\": \(path) is a link to \(place), outside the script's folder")
      }
      do throws(ScriptError) {
        let text = try ScriptSource.readFile(path)
        loaded.append(path)
        return ScriptSource(path: path, text: text)
      } catch {
        // What is there, and cannot be read, is what was meant.
        guard access(path, F_OK) == 0 else { continue }
        throw ScriptError(code: .load, kind: "load", message: "require \"\(name)\": \(error.message)")
      }
    }
    throw ScriptError(
      code: .load, kind: "load",
      message: "module \"\(name)\" was not found; looked for " + candidates.joined(separator: ", ")
        + (name.hasPrefix("moonpeer") ? "" : " and among the shipped modules (moonpeer.*)"))
  }
}

/// `host.module`: reading the files; what a loaded module means is `modules.lua`'s.
enum HostModule {
  static let natives: [(String, LuaNative)] = [("load", load), ("shipped", shipped), ("passing", passing)]

  /// load(name) → the module's main chunk, its path
  private static let load: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard let name = call.string(1) else { return call.raise("usage", "require: a module's name is expected") }
    do throws(ScriptError) {
      let source = try runtime.modules.read(name)
      let chunk = try runtime.load(source)
      return call.returns { pack in
        pack.taken(chunk)
        pack.string(source.path)
      }
    } catch {
      guard let location = error.location else { return call.blame("load", error.message) }
      return call.raise("load", "\(location): \(error.message)")
    }
  }

  /// shipped(name) → the node's handle; true and its name for another module that comes with Moonpeer; or nil
  private static let shipped: LuaNative = { state in
    let call = LuaCall(state)
    let runtime = ScriptRuntime.of(call)
    guard var name = call.string(1) else { return call.none() }
    if name.contains("/") { name = String(name.map { $0 == "/" ? "." : $0 }) }
    guard name.hasPrefix("moonpeer.") else { return call.none() }
    let chunk = String(name.dropFirst("moonpeer.".count))
    guard runtime.isShipped(chunk) else {
      let known = runtime.shippedNames.map { "moonpeer.\($0)" }
      return call.blame("load", "there is no module \"\(name)\"; the shipped ones are \(known.joined(separator: ", "))")
    }
    guard chunk == "node" else {
      return call.returns { pack in
        pack.boolean(true)
        pack.string(chunk)
      }
    }
    guard let hooks = runtime.hooks else {
      return call.blame("load", "moonpeer.node is there once the node starts; require it in init or a hook")
    }
    return call.returns { $0.ref(hooks.nodeHandle) }
  }

  /// passing() → the names of the chunks that are forgotten after the start
  private static let passing: LuaNative = { state in
    LuaCall(state).returns { pack in
      for name in ShippedLua.passing.sorted() { pack.string(name) }
    }
  }
}
