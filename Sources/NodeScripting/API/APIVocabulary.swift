/// What the Lua API is declared in: plain data, from which the reference, the editor annotations and `.luacheckrc` are
/// generated and against which the running nodes are tested. Types are written as the Lua language server reads them.

/// A name with a type: an argument, an option, a field.
package struct APIValue: Sendable {
  package var name: String
  package var type: String
  package var isOptional = false
  /// As Lua code; nil: no default, or none worth a name.
  package var defaultText: String?
  package var doc: String
}

/// One argument of a function; `...` for any further ones.
package struct APIArgument: Sendable {
  package var value: APIValue
  /// Where the argument is a table of options: each of them.
  package var options: [APIValue] = []
  /// Where the table of options is a list too: the type of its elements.
  package var element: String?
}

/// A function, method or hook.
package struct APIFunction: Sendable {
  package var name: String
  package var arguments: [APIArgument]
  /// Each way it can return: a list of types, each with a name where `name: type` gives one. Empty: nothing.
  package var returns: [[String]]
  /// Other ways to call it, in the Lua language server's notation.
  package var overloads: [String] = []
  package var waits = false
  package var doc: String
}

/// A handle or a shaped table that scripts meet.
package struct APIClass: Sendable {
  /// The word a script uses for a value of it (`conn`), which stands before the colon in the reference.
  package var name: String
  /// Its name in annotations, such as `moonpeer.Conn`.
  package var type: String
  package var doc: String
  package var fields: [APIValue] = []
  package var methods: [APIFunction] = []
  /// Operators in the Lua language server's notation, such as `len: integer`.
  package var operators: [String] = []

  package init(
    name: String, type: String, doc: String, fields: [APIValue] = [], methods: [APIFunction] = [],
    operators: [String] = []
  ) {
    self.name = name
    self.type = type
    self.doc = doc
    self.fields = fields
    self.methods = methods
    self.operators = operators
  }
}

/// What `require "moonpeer.…"` gives.
package struct APIModule: Sendable {
  package var name: String
  package var doc: String
  package var fields: [APIValue] = []
  package var functions: [APIFunction] = []

  package init(name: String, doc: String, fields: [APIValue] = [], functions: [APIFunction] = []) {
    self.name = name
    self.doc = doc
    self.fields = fields
    self.functions = functions
  }

  /// The local name scripts give it: the last part.
  package var local: String { String(name.split(separator: ".").last!) }
}

/// A key of the table that a script returns.
package struct APIKey: Sendable {
  package enum Kind: Sendable {
    /// A setting of this type.
    case value(type: String)
    /// A function the engine calls; `when` says so.
    case hook(APIFunction, when: String)
  }
  package var name: String
  package var kind: Kind
  package var doc: String
}

/// One word of a closed set, such as an error kind.
package struct APIWord: Sendable {
  package var name: String
  package var doc: String
}

/// A part of the reference: what it describes, and a Lua example that is checked.
package struct APISection: Sendable {
  package var title: String
  package var doc: String
  package var classes: [APIClass]
  package var modules: [APIModule]
  /// Closed sets of words with the name of their annotation alias.
  package var words: [(title: String, alias: String, list: [APIWord])]
  package var example: String

  package init(
    title: String, doc: String, classes: [APIClass], modules: [APIModule] = [],
    words: [(title: String, alias: String, list: [APIWord])] = [], example: String
  ) {
    self.title = title
    self.doc = doc
    self.classes = classes
    self.modules = modules
    self.words = words
    self.example = example
  }
}

// Short forms, so that a declaration reads like a table.

package func argument(_ name: String, _ type: String, _ doc: String = "") -> APIArgument {
  APIArgument(value: APIValue(name: name, type: type, doc: doc))
}

package func optional(_ name: String, _ type: String, default text: String? = nil, _ doc: String = "") -> APIArgument {
  APIArgument(value: APIValue(name: name, type: type, isOptional: true, defaultText: text, doc: doc))
}

/// A table of options that may be left out.
package func options(_ list: [APIValue]) -> APIArgument {
  APIArgument(value: APIValue(name: "options", type: "table", isOptional: true, doc: ""), options: list)
}

/// A table of options that must be given, because some of them must.
package func required(_ name: String, _ list: [APIValue], element: String? = nil) -> APIArgument {
  APIArgument(value: APIValue(name: name, type: "table", doc: ""), options: list, element: element)
}

package func option(_ name: String, _ type: String, default text: String? = nil, _ doc: String) -> APIValue {
  APIValue(name: name, type: type, isOptional: true, defaultText: text, doc: doc)
}

package func field(_ name: String, _ type: String, _ doc: String) -> APIValue {
  APIValue(name: name, type: type, doc: doc)
}

package func function(
  _ name: String, _ arguments: [APIArgument], returns: [[String]] = [], overloads: [String] = [], waits: Bool = false,
  _ doc: String
) -> APIFunction {
  APIFunction(name: name, arguments: arguments, returns: returns, overloads: overloads, waits: waits, doc: doc)
}

package func function(_ name: String, returns: [[String]] = [], waits: Bool = false, _ doc: String) -> APIFunction {
  function(name, [], returns: returns, waits: waits, doc)
}

/// A help text, which begins small and has no full stop, as a sentence. Names of keys and hooks stay as they are.
package func sentence(_ help: String) -> String {
  let isName = help.prefix { $0 != " " }.contains("_")
  return (isName ? help.prefix(1) : Substring(help.prefix(1).uppercased())) + help.dropFirst() + "."
}
