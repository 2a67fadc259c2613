import NodeCore
import NodeScripting

/// `docs/lua-reference.md`.
enum ReferenceFile {
  static var text: String {
    var parts = [
      "# Lua reference", "<!-- \(Document.notice) -->",
      """
      Everything a script may name. A script is a file that returns a table (below); `require` gives it the modules, \
      and the engine hands its functions the `node` and the `conn`. A name that does not exist is an error that \
      suggests one that does.
      """,
      contents,
      """
      An editor with the Lua language server completes `node:`, `conn:`, `codec.` and the rest once its `workspace.library` \
      names `scripts/types` (`.luarc.json` does here); with `---@type moonpeer.Script` above \
      `local script = { … }` the hooks' arguments are known too. `luacheck scripts examples` finds globals that the sandbox lacks.
      """,
      types,
    ]
    parts += scriptTable + configuration
    for section in Document.sections { parts += text(of: section) }
    parts += sandbox
    return parts.joined(separator: "\n\n") + "\n"
  }

  private static var titles: [String] {
    ["The script table", "Configuration"] + Document.sections.map(\.title) + ["The sandbox"]
  }

  private static var contents: String {
    titles.map { "- [\($0)](#\(anchor($0)))" }.joined(separator: "\n")
  }

  private static func anchor(_ title: String) -> String {
    String(title.lowercased().compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || $0 == "-" ? $0 : nil })
  }

  private static var types: String {
    let rows = LuaAPI.aliases.map { [code(short($0.name)), $0.doc] }
    return
      """
      In the tables a `?` marks what may be left out, and ⏳ a call that may wait: other tasks and connections go on \
      meanwhile. These stand for:\n\n
      """
        + table(["type", "as"], rows)
  }

  private static var scriptTable: [String] {
    let rows = LuaAPI.scriptKeys.map { key -> [String] in
      switch key.kind {
      case .value(let type): [code(key.name), code(short(type)), "", key.doc]
      case .hook(let hook, let when): [code(hook.call), "hook", when, key.doc]
      }
    }
    return [
      "## The script table",
      """
      A script returns a table with some of these keys. An absent hook costs nothing; `session` and \
      `process_message` exclude each other.
      """,
      table(["key", "type", "runs", "meaning"], rows),
    ] + fields(of: LuaAPI.argumentEntry, level: "###") + fields(of: LuaAPI.timerEntry, level: "###") + [
      example(LuaAPI.examples.script)
    ]
  }

  private static var configuration: [String] {
    let rows = NodeConfiguration.keys.map { key -> [String] in
      let zero =
        switch key.zero {
        case .refused: "refused"
        case .none: "no limit"
        case .allowed: ""
        }
      return [
        code(key.name), kind(key.kind), code(key.defaultText), zero,
        sentence(key.help),
      ]
    }
    return [
      "## Configuration",
      """
      The keys of `config`. On the command line each is an option (`max_connections` is `--max-connections 50`), \
      which goes before the script's own value.
      """,
      table(["key", "type", "default", "0 means", "meaning"], rows), example(LuaAPI.examples.configuration),
    ]
  }

  private static func kind(_ kind: ConfigurationKey.Kind) -> String {
    switch kind {
    case .duration: "duration"
    case .size: "size"
    case .count: "whole number"
    case .boolean: "true or false"
    case .text: "text"
    case .addresses: "address or list"
    case .choice(let words): words.map { code("\"\($0)\"") }.joined(separator: ", ")
    }
  }

  private static func text(of section: APISection) -> [String] {
    var parts = ["## \(section.title)", section.doc]
    for module in section.modules {
      parts += ["### \(code(module.name))", module.doc]
      if !module.fields.isEmpty {
        parts.append(table(["field", "type", "meaning"], rows(module.fields, prefix: module.local + ".")))
      }
      parts += calls(module.functions, prefix: module.local + ".")
    }
    for shape in section.classes where !shape.fields.isEmpty || !shape.methods.isEmpty {
      parts += fields(of: shape, level: "###") + calls(shape.methods, prefix: shape.name + ":")
    }
    for words in section.words {
      parts += [
        "### \(words.title)", table(["word", "meaning"], words.list.map { [code("\"\($0.name)\""), $0.doc] }),
      ]
    }
    return parts + [example(section.example)]
  }

  private static func fields(of shape: APIClass, level: String) -> [String] {
    var parts = ["\(level) \(code(shape.name))", shape.doc]
    if !shape.fields.isEmpty { parts.append(table(["field", "type", "meaning"], rows(shape.fields, prefix: ""))) }
    return parts
  }

  private static func rows(_ values: [APIValue], prefix: String) -> [[String]] {
    values.map { value in
      let fallback = value.defaultText.map { " Default: \(plain($0))." } ?? ""
      return [code(prefix + value.name + (value.isOptional ? "?" : "")), code(short(value.type)), value.doc + fallback]
    }
  }

  private static func calls(_ functions: [APIFunction], prefix: String) -> [String] {
    guard !functions.isEmpty else { return [] }
    let rows = functions.map { function in
      [
        code(prefix + function.call) + (function.waits ? " ⏳" : ""), result(of: function),
        function.doc + arguments(of: function),
      ]
    }
    var parts = [table(["call", "result", "meaning"], rows)]
    for function in functions {
      for argument in function.optionTables {
        parts.append("Options of \(code(prefix + function.name)):")
        parts.append(table(["option", "type", "meaning"], self.rows(argument.options, prefix: "")))
      }
    }
    return parts
  }

  private static func result(of function: APIFunction) -> String {
    function.returns.map { way in
      way.map { part in
        let (name, type) = splitReturn(part)
        return code(type.hasPrefix("\"") ? short(type) : name ?? short(type))
      }.joined(separator: ", ")
    }.joined(separator: " or ")
  }

  private static func arguments(of function: APIFunction) -> String {
    let notes = function.arguments.compactMap { argument -> String? in
      let value = argument.value
      guard argument.options.isEmpty else { return nil }
      let type = ["any", "function"].contains(value.type) ? nil : code(short(value.type))
      let parts = [type, value.doc.isEmpty ? nil : value.doc, value.defaultText.map { "default \(plain($0))" }]
        .compactMap { $0 }
      return parts.isEmpty ? nil : code(value.name) + ": " + parts.joined(separator: ", ")
    }
    return notes.isEmpty ? "" : " " + notes.joined(separator: "; ") + "."
  }

  private static var sandbox: [String] {
    [
      "## The sandbox",
      "Globals: \(LuaAPI.globals.map(code).joined(separator: ", ")). Libraries, with what they have:",
      table(
        ["library", "members"], LuaAPI.libraries.map { [code($0.name), $0.members.map(code).joined(separator: ", ")] }),
      """
      `load` takes text only, `collectgarbage` only counts, and `setmetatable` refuses `__gc`; use `<close>`.
      """,
    ]
  }

  // Markdown

  private static func short(_ type: String) -> String { type.replacing("moonpeer.", with: "") }
  /// A default is code, unless it is put in words.
  private static func plain(_ text: String) -> String { text.contains(" ") || text == "none" ? text : code(text) }
  private static func code(_ text: String) -> String { "`\(text)`" }
  private static func example(_ text: String) -> String { "```lua\n\(text)\n```" }

  private static func table(_ head: [String], _ rows: [[String]]) -> String {
    // A bar ends a cell, even in code.
    let lines = [head, head.map { _ in "---" }] + rows.map { $0.map { $0.replacing("|", with: "\\|") } }
    return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
  }
}
