/// Faults in what waits, in what reads bytes, in what a reload runs, and in what somebody types.
extension FaultyHook {
  static let waits = [
    FaultyHook(
      name: "request's match", hook: "process_message", payer: .connection,
      script:
        "codec = codec.lines(), process_message = function(node, conn) conn:request('x', { match = function() fault(node, conn) end }) end",
      lines: ["test.lua:2", "test.lua:3"]),
    FaultyHook(
      name: "after a request", hook: "process_message", payer: .connection,
      script: "codec = codec.lines(), process_message = function(node, conn) conn:request('x') fault(node, conn) end"),
    FaultyHook(
      name: "joined task that received", hook: "on_connect", payer: .connection,
      script:
        "codec = codec.lines(), on_connect = function(node, conn) node:spawn(function() conn:receive() fault(node, conn) end):join() end",
      lines: ["test.lua:2", "test.lua:3"]),
    FaultyHook(
      name: "coroutine that received", hook: "session", payer: .connection,
      script:
        "codec = codec.lines(), session = function(node, conn) coroutine.wrap(function() conn:receive() fault(node, conn) end)() error 'yielded' end",
      lines: ["test.lua:2", "test.lua:3"]),
    FaultyHook(
      name: "task beside a receive", hook: "task", payer: .nobody,
      script:
        "codec = codec.lines(), session = function(node, conn) node:spawn(function() fault(node, conn) end) while conn:receive() do end end",
      takesPeer: true),
    FaultyHook(
      name: "evaluated code", hook: "evaluated code", payer: .caller,
      script: "init = function(node) try = function() fault(node) end end", lines: ["test.lua:2", "(code):1"],
      evaluated: "do try() end"),
  ]

  private static func decoder(
    _ name: String, _ maker: String, reader: String = "process_message = function() end", hook: String = "process_message"
  )
    -> FaultyHook
  {
    FaultyHook(
      name: name, hook: hook, payer: .decoding,
      script: "codec = \(maker), init = function(node) kept = node end, \(reader), \(reason)",
      lines: ["test.lua:2", "test.lua:3"])
  }

  private static let reason = "on_disconnect = function(_, _, why) reason = why.kind end"

  static let custom = decoder("decoder", "codec.custom { max = 100, decode = function() return fault(kept) end }")
  static let size = decoder("size of frames", "codec.framed { header = 1, max = 100, size = function() return fault(kept) end }")
  static let decoders = [
    custom, size, decoder("decode of a map", "codec.map(codec.lines(), { decode = function() return fault(kept) end })"),
    decoder(
      "decoder of a session", "codec.custom { decode = function() return fault(kept) end }",
      reader: "session = function(_, conn) conn:receive() end", hook: "session"),
  ]

  static let reloads = [
    FaultyHook(name: "save", hook: "save", payer: .reload, script: "save = function() fault() end,"),
    FaultyHook(name: "restore", hook: "restore", payer: .reload, script: "restore = function(state) fault() return state end,"),
    FaultyHook(
      name: "save_connection", hook: "save_connection", payer: .reload,
      script: "save_connection = function(conn) fault(nil, conn) end,"),
    FaultyHook(
      name: "restore_connection", hook: "restore_connection", payer: .reload,
      script: "restore_connection = function(conn) fault(nil, conn) end,"),
  ]
}
