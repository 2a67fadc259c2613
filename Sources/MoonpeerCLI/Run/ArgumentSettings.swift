import LuaHost
import NodeCore
import NodeScripting

/// What `--set name=value` gives to the scripts' declared arguments.
struct ArgumentSettings {
  private var values: [(name: String, text: String)] = []

  /// - Throws: status `usage` for what is not `name=value`.
  init(_ texts: [String]) throws(CommandFailure) {
    for text in texts {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw CommandFailure(.usage, "--set \(Printable.text(text)): write name=value, as in --set rate=10")
      }
      values.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
    }
  }

  /// Every name must be declared by at least one of the scripts.
  ///
  /// - Throws: status `usage`, with the nearest name.
  func check(against declared: [String]) throws(CommandFailure) {
    for (name, _) in values where !declared.contains(name) {
      let nearest = NearestName.hint(for: name, among: declared)
      let known =
        declared.isEmpty ? "; there are none (key args)" : "; there is " + Set(declared).sorted().joined(separator: ", ")
      throw CommandFailure(
        .usage, "--set: no script here declares the argument \"\(Printable.text(name))\"\(nearest.isEmpty ? known : nearest)")
    }
  }

  /// What of it is for a script; the last one given counts.
  func values(for declaration: ScriptDeclaration) -> [String: LuaValue] {
    let names = declaration.arguments.map(\.name)
    return values.filter { names.contains($0.name) }.reduce(into: [:]) { $0[$1.name] = LuaValue($1.text) }
  }
}
