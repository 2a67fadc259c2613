import Testing

/// A place in a script where a fault can stand, as `fault(node, conn)`, and what pays for it.
struct FaultyHook: Sendable, CustomTestStringConvertible {
  enum Payer: Sendable {
    /// Its connection ends, and nothing else.
    case connection
    /// It is logged and counted.
    case nobody
    /// Who asked for it is told.
    case caller
    /// The node does not start, or does not load.
    case start, load
    /// Its connection ends with the reason decode: the same as for bytes that are no message.
    case decoding
    /// A reload, which fails; the code in force goes on with its connections.
    case reload
  }

  let name: String
  /// What the report calls it.
  let hook: String
  let payer: Payer
  let script: String
  /// The lines that may be blamed: the fault's own; where the shipped Lua passes an error on that has no place, the one that
  /// called it.
  var lines = ["test.lua:2"]

  /// What asks for it, where it is the caller's.
  var evaluated: String?
  /// It takes a peer that sends something; a connection's hook always does.
  var takesPeer = false

  var testDescription: String { name }
  var isOfConnection: Bool { payer == .connection || payer == .decoding }

  private static func of(connection name: String, _ script: String, hook: String? = nil) -> FaultyHook {
    FaultyHook(name: name, hook: hook ?? name, payer: .connection, script: script)
  }

  static let all =
    [
      of(connection: "handshake", "handshake = function(node, conn) conn:read(1) fault(node, conn) end"),
      of(connection: "codec", "codec = function(node, conn) fault(node, conn) end", hook: "handshake"),
      of(connection: "on_connect", "on_connect = function(node, conn) fault(node, conn) end"),
      of(
        connection: "on_connect later", "on_connect = function(node, conn) node:sleep(0) fault(node, conn) end",
        hook: "on_connect"),
      of(connection: "process_message", "codec = codec.lines(), process_message = function(node, conn) fault(node, conn) end"),
      of(
        connection: "process_message later",
        "codec = codec.lines(), process_message = function(node, conn) node:sleep(0) fault(node, conn) end",
        hook: "process_message"
      ),
      of(connection: "session", "codec = codec.lines(), session = function(node, conn) conn:receive() fault(node, conn) end"),
      FaultyHook(
        name: "encoder", hook: "process_message", payer: .connection,
        script:
          """
          codec = codec.map(codec.lines(), { decode = tostring, encode = function() fault(kept) return 'x' end }),
          init = function(node) kept = node end, process_message = function(node, conn) conn:send 'x' end
          """, lines: ["test.lua:2", "test.lua:4"]),
      of(
        connection: "on_disconnect",
        "codec = codec.lines(), process_message = function(_, conn) conn:disconnect() end, on_disconnect = function(node, conn) fault(node, conn) end"
      ),
      FaultyHook(
        name: "timer", hook: "timer", payer: .nobody,
        script: "init = function(node) node:after(0, function() fault(node) end) end"),
      FaultyHook(
        name: "task", hook: "task", payer: .nobody, script: "init = function(node) node:spawn(function() fault(node) end) end"),
      FaultyHook(name: "call", hook: "call", payer: .caller, script: "calls = { go = function(node) fault(node) end }"),
      FaultyHook(
        name: "joined task", hook: "call", payer: .caller,
        script: "calls = { go = function(node) node:spawn(function() fault(node) end):join() end }",
        lines: ["test.lua:2", "test.lua:3"]),
      FaultyHook(
        name: "on_shutdown", hook: "on_shutdown", payer: .nobody, script: "on_shutdown = function(node) fault(node) end"),
      FaultyHook(name: "init", hook: "init", payer: .start, script: "init = function(node) fault(node) end"),
      FaultyHook(
        name: "top level", hook: "", payer: .load, script: "name = fault { sleep = function() error 'no node' end }",
        lines: ["test.lua:2", "test.lua:3"]),
    ] + waits + decoders + reloads
}
