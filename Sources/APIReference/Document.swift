import NodeScripting
import TestNetwork

/// The files generated from the declaration, with their paths in the repository.
struct Document: Sendable {
  var path: String
  var text: String

  static let sections = LuaAPI.sections + [NetworkAPI.section]

  static var all: [Document] {
    [
      Document(path: ".luacheckrc", text: LuacheckFile.text),
      Document(path: "docs/lua-reference.md", text: ReferenceFile.text),
      Document(path: "scripts/types/moonpeer.lua", text: AnnotationFile.text),
    ]
      + sections.flatMap(\.modules).map { module in
        Document(path: "scripts/types/moonpeer/\(module.local).lua", text: AnnotationFile.stub(of: module))
      }
  }

  static let notice = "Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit."
}

extension APIFunction {
  /// As a reader writes the call: `send(message)`, `connect(address, options?)`.
  var call: String {
    "\(name)(" + arguments.map { $0.value.name + ($0.value.isOptional ? "?" : "") }.joined(separator: ", ") + ")"
  }

  /// The arguments that are tables of options.
  var optionTables: [APIArgument] { arguments.filter { !$0.options.isEmpty } }
}

extension APIArgument {
  /// The annotation class of the options of `owner`'s function: `moonpeer.Node.connect.options`.
  func optionsType(of function: APIFunction, in owner: String) -> String { "\(owner).\(function.name).\(value.name)" }
}

/// `name: type` or only a type, as `returns` has it.
func splitReturn(_ text: String) -> (name: String?, type: String) {
  guard let colon = text.firstRange(of: ": "),
    text[..<colon.lowerBound].allSatisfy({ $0.isLetter || $0 == "_" || $0 == "." })
  else {
    return (nil, text)
  }
  return (String(text[..<colon.lowerBound]), String(text[colon.upperBound...]))
}
