import NodeScripting

/// `.luacheckrc`: the globals of the sandbox, so that `luacheck scripts examples` finds every name that is not there.
///
/// luacheck knows globals and their fields only. What modules and handles have is checked by the tests of this target,
/// and by the node itself: a name they lack is an error that suggests one.
enum LuacheckFile {
  static var text: String {
    let globals = LuaAPI.globals.map { "    \($0) = {},\n" }.joined()
    let libraries = LuaAPI.libraries.map { library in
      "    \(library.name) = { fields = {\n"
        + wrapped(library.members.map { "\($0) = {}" }, indent: "      ") + "    } },\n"
    }.joined()
    let hookArguments = Set(
      LuaAPI.scriptKeys.flatMap { key -> [String] in
        guard case .hook(let hook, _) = key.kind else { return [] }
        return hook.arguments.map(\.value.name)
      }
    ).sorted()
    return """
      -- \(Document.notice)
      -- The sandbox's globals: what a script may name. Run as: luacheck scripts examples
      stds.moonpeer = {
        read_globals = {
      \(globals)\(libraries)  },
      }
      std = "moonpeer"
      max_line_length = 130
      -- A hook may leave its arguments unused: they are there for whoever reads it.
      ignore = { \(hookArguments.map { "\"212/\($0)\"" }.joined(separator: ", ")) }
      exclude_files = { "scripts/types", ".build" }

      """
  }

  private static func wrapped(_ items: [String], indent: String) -> String {
    var lines: [String] = []
    var line = ""
    for item in items {
      if line.count + item.count > 100 {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + item + ","
    }
    return (lines + [line]).map { indent + $0 + "\n" }.joined()
  }
}
