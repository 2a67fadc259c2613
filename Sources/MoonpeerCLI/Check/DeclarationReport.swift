import LuaHost
import NodeCore
import NodeScripting

/// What a script declares, for people.
struct DeclarationReport {
  let path: String
  let declaration: ScriptDeclaration

  var text: String {
    let count = declaration.problems.count
    let verdict = count == 0 ? "ok" : count == 1 ? "1 mistake" : "\(count) mistakes"
    var lines = ["\(Printable.text(path)): \(verdict)"]
    func add(_ title: String, _ value: String?) {
      guard let value, !value.isEmpty else { return }
      lines.append("  " + Self.padded(title, to: 9) + " " + Printable.text(value))
    }
    add("name", declaration.name)
    add("version", declaration.version.map(String.init))
    add("hooks", declaration.hooks.isEmpty ? "none" : declaration.hooks.joined(separator: ", "))
    switch declaration.codec {
    case .shared: add("codec", "one for every connection")
    case .perConnection: add("codec", "chosen per connection")
    case .none: break
    }
    add("calls", declaration.calls.joined(separator: ", "))
    add("timers", declaration.timers.joined(separator: ", "))
    add("config", declaration.configuration.map { "\($0.key) = \(Self.text($0.value))" }.joined(separator: ", "))
    let width = declaration.arguments.map(\.name.count).max() ?? 0
    for (index, argument) in declaration.arguments.enumerated() {
      let unit = argument.type == "duration" ? " s" : ""
      let value = Self.text(argument.defaultValue).map { "default \($0)\(unit)" } ?? "no default"
      let help = argument.help.map { " — \($0)" } ?? ""
      let text = "\(Self.padded(argument.name, to: width))  \(argument.type), \(value)\(help)"
      lines.append("  " + Self.padded(index == 0 ? "args" : "", to: 9) + " " + Printable.text(text))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func text(_ value: ConfigurationValue) -> String {
    switch value {
    case .string(let text): "\"\(text)\""
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    case .boolean(let flag): "\(flag)"
    case .list(let values): "{ " + values.map { "\"\($0)\"" }.joined(separator: ", ") + " }"
    }
  }

  private static func text(_ value: LuaValue) -> String? {
    switch value {
    case .nil: nil
    case .string(let text): "\"\(text.lossyText)\""
    case .table(let table): table.array.isEmpty && table.fields.isEmpty ? "{}" : "a table"
    default: value.description
    }
  }
}
