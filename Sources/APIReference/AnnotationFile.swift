import NodeCore
import NodeScripting

/// `scripts/types/`: what the Lua language server (and so most editors) needs to complete `node:`, `conn:`, `codec.`.
enum AnnotationFile {
  static var text: String {
    var parts = [
      """
      ---@meta\n-- \(Document.notice)\n-- In an editor with the Lua language server: add scripts/types to \
      workspace.library.
      """
    ]
    parts += LuaAPI.aliases.map { "--- \($0.doc)\n---@alias \($0.name) \($0.type)" }
    let sections = Document.sections
    for words in sections.flatMap(\.words) {
      parts.append(
        "---@alias \(words.alias)\n" + words.list.map { "---| \"\($0.name)\" # \($0.doc)" }.joined(separator: "\n"))
    }
    parts.append(script)
    parts.append(
      "--- The keys of `config`.\n---@class moonpeer.Config\n"
        + NodeConfiguration.keys.map { "---@field \($0.name)? \(type(of: $0)) \($0.help)" }.joined(separator: "\n"))
    for shape in [LuaAPI.argumentEntry, LuaAPI.timerEntry] + sections.flatMap(\.classes) {
      parts.append(contentsOf: declaration(of: shape))
    }
    for module in sections.flatMap(\.modules) {
      let shape = APIClass(
        name: module.local, type: module.name, doc: module.doc, fields: module.fields, methods: module.functions)
      // moonpeer.node is the node's handle itself.
      if !module.fields.isEmpty || !module.functions.isEmpty {
        parts.append(contentsOf: declaration(of: shape, separator: "."))
      }
    }
    return parts.joined(separator: "\n\n") + "\n"
  }

  /// The file `require` finds: its value has the module's type.
  static func stub(of module: APIModule) -> String {
    let type = module.functions.isEmpty && module.fields.isEmpty ? LuaAPI.node.type : module.name
    return
      """
      ---@meta \(module.name)\n-- \(Document.notice)\n\n---@type \(type)\nlocal \(module.local)\nreturn \
      \(module.local)\n
      """
  }

  private static var script: String {
    let lines = LuaAPI.scriptKeys.map { key in
      let type =
        switch key.kind {
        case .value(let type): key.name == "config" ? "moonpeer.Config" : type
        case .hook(let hook, _):
          "fun(" + hook.arguments.map { "\($0.value.name): \($0.value.type)" }.joined(separator: ", ") + "): any"
        }
      return "---@field \(key.name)? \(parenthesised(type)) \(key.doc)"
    }
    return "--- What a script returns; put `---@type moonpeer.Script` above `local script = { … }`, and return it.\n"
      + "---@class moonpeer.Script\n"
      + lines.joined(separator: "\n")
  }

  private static func declaration(of shape: APIClass, separator: String = ":") -> [String] {
    let local = shape.type.filter { $0 != "." }
    var parts: [String] = []
    for method in shape.methods {
      for argument in method.optionTables {
        let name = argument.optionsType(of: method, in: shape.type)
        let base = argument.element.map { "---@field [integer] \($0)\n" } ?? ""
        parts.append("---@class \(name)\n" + base + argument.options.map(line(of:)).joined(separator: "\n"))
      }
    }
    var head = "--- \(shape.doc)\n---@class \(shape.type)\n"
    head += shape.operators.map { "---@operator \($0.replacing(": ", with: ":"))\n" }.joined()
    head += shape.fields.map { line(of: $0) + "\n" }.joined()
    head += shape.methods.isEmpty ? "" : "local \(local) = {}"
    parts.append(head.hasSuffix("\n") ? String(head.dropLast()) : head)
    parts += shape.methods.map { text(of: $0, in: shape, local, separator) }
    return parts
  }

  private static func text(of method: APIFunction, in shape: APIClass, _ local: String, _ separator: String) -> String {
    var lines = ["--- \(method.doc)"]
    for argument in method.arguments {
      let type = argument.options.isEmpty ? argument.value.type : argument.optionsType(of: method, in: shape.type)
      let doc = [argument.value.doc, argument.value.defaultText.map { "default: \($0)" } ?? ""].filter { !$0.isEmpty }
        .joined(separator: "; ")
      let mark = argument.value.isOptional ? "?" : ""
      lines.append("---@param \(argument.value.name)\(mark) \(type)" + (doc.isEmpty ? "" : " \(doc)"))
    }
    lines += returns(of: method)
    lines += method.overloads.map { "---@overload \($0)" }
    let parameters = method.arguments.map(\.value.name).joined(separator: ", ")
    lines.append("function \(local)\(separator)\(method.name)(\(parameters)) end")
    return lines.joined(separator: "\n")
  }

  /// For each position what any way of returning has there.
  private static func returns(of method: APIFunction) -> [String] {
    let count = method.returns.map(\.count).max() ?? 0
    return (0..<count).map { index in
      var types: [String] = []
      var name: String?
      for way in method.returns {
        let (found, type) = way.indices.contains(index) ? splitReturn(way[index]) : (nil, "nil")
        name = name ?? found
        if !types.contains(type) { types.append(type) }
      }
      if name == "..." { return "---@return any ..." }
      return "---@return \(types.joined(separator: "|"))" + (name.map { " \($0)" } ?? "")
    }
  }

  private static func line(of value: APIValue) -> String {
    let fallback = value.defaultText.map { " Default: \($0)." } ?? ""
    return "---@field \(value.name)\(value.isOptional ? "?" : "") \(parenthesised(value.type)) \(value.doc)\(fallback)"
  }

  /// A function type in a union or a field needs its brackets.
  private static func parenthesised(_ type: String) -> String {
    type.contains("fun(") && !type.hasPrefix("table<") ? "(\(type))" : type
  }

  private static func type(of key: ConfigurationKey) -> String {
    switch key.kind {
    case .duration: "moonpeer.Duration"
    case .size: "moonpeer.Size"
    case .count: "integer"
    case .boolean: "boolean"
    case .text: "string"
    case .addresses: "moonpeer.Address|moonpeer.Address[]|false"
    case .choice(let words): words.map { "\"\($0)\"" }.joined(separator: "|")
    }
  }
}
