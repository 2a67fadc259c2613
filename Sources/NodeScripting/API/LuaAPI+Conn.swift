extension LuaAPI {
  package static let conn = APIClass(
    name: "conn", type: "moonpeer.Conn",
    doc:
      """
      A connection: one handle for its whole life, so it can be compared and used as a table key. Sends answer \
      `true`, or `nil` and why; raw reads and writes raise an error of kind `closed` instead. A name it does not \
      have is an error that suggests one.
      """,
    fields: [
      field("id", "integer", "1, 2, 3… per node, never used again."),
      field("address", "moonpeer.Address", "The peer's address."),
      field("local_address", "moonpeer.Address", "This side's address."),
      field("side", "\"initiator\"|\"responder\"", "`initiator` dialled, `responder` accepted."),
      field("state", "table", "The script's own, per connection; starts as an empty table."),
      field("peer", "any", "What the handshake returned; nil before, or without one. The script may set it."),
    ],
    methods: messages + bytes + control)

  private static let messages: [APIFunction] = [
    function(
      "send", [argument("message", "any")], returns: [["true"], ["nil", "why: \"closed\""]], waits: true,
      """
      Encodes and queues; waits while more than `outbound_high_water` bytes are queued. A message over the codec's \
      `max` raises `too_large`.
      """
    ),
    function(
      "try_send", [argument("message", "any")], returns: [["true"], ["nil", "why: \"full\"|\"closed\""]],
      "As `send`, and never waits: `full` where more than 8 × `outbound_high_water` would be queued."),
    function(
      "flush", returns: [["true"], ["nil", "why: \"closed\"|\"write_timeout\""]], waits: true,
      "Waits until the kernel has taken all that was queued; it says nothing about the peer."),
    function(
      "receive", [optional("timeout", "moonpeer.Duration", default: "none", "0: only what has arrived")],
      returns: [["message: any"], ["nil", "why: \"closed\"|\"timeout\""]], waits: true,
      """
      The next message, for `session`, `handshake` and tasks. Beside a `process_message` it raises `busy`, unless \
      that hook itself waits or calls it. What has not been taken when the connection is being closed goes with it.
      """
    ),
    function(
      "request",
      [
        argument("message", "any"),
        options([
          option("timeout", "moonpeer.Duration", default: "30", "For the reply."),
          option("match", "fun(reply: any): boolean", default: "any message", "Whether a message is the reply."),
        ]),
      ], returns: [["reply: any"], ["nil", "why: \"closed\"|\"timeout\"|\"full\""]], waits: true,
      """
      Sends, and gives the matching reply; other messages go where they would have gone. Works in every hook. \
      `full`: 64 others came first and no one takes them.
      """
    ),
  ]

  private static let bytes: [APIFunction] = [
    function(
      "read", [argument("n", "integer", "0 or more")], returns: [["bytes: string"]], waits: true,
      "Exactly n bytes; raises `closed` when the stream ends before."),
    function(
      "read_some", [optional("max", "integer", default: "all that is there", "at least 1")],
      returns: [["bytes: string"]], waits: true,
      "At least one byte, as soon as there is one; raises `closed` at the end of the stream."),
    function(
      "read_until",
      [
        argument("delimiter", "string", "at least one byte"),
        optional("max", "moonpeer.Size", default: "\"1MiB\"", "bytes before the delimiter"),
      ],
      returns: [["bytes: string"]], waits: true,
      "The bytes before the delimiter, which is taken too; raises `too_large` where there is none within `max`, which can be no "
        + "more than `max_read_buffer` holds."),
    function(
      "peek", [argument("n", "integer", "0 or more")], returns: [["bytes: string"]], waits: true,
      "The next n bytes, left where they are; raises `closed` when the stream ends before."),
    function(
      "write", [argument("bytes", "string")], returns: [["true"]], waits: true,
      "Queues raw bytes past the codec; waits as `send` does and raises `closed`."),
  ]

  private static let control: [APIFunction] = [
    function(
      "stats", returns: [["moonpeer.Stats"], ["nil"]], "Traffic of this connection; nil once it is over and forgotten."),
    function(
      "set_option", [argument("name", "moonpeer.SocketOption"), argument("value", "boolean|integer")],
      returns: [["true"]], "Sets a socket option (below); raises what the system says."),
    function("pause_reading", "Takes no more messages and lets TCP push back, until `resume_reading`."),
    function("resume_reading", "Goes on reading."),
    function(
      "disconnect", [optional("reason", "string", "for the log and `reason.message`")],
      returns: [["was_open: boolean"]],
      "Closes after what is queued has left; does not wait. False when it was closed already."),
    function("abort", returns: [["was_open: boolean"]], "Closes at once; what is queued is lost."),
  ]

  /// The options of `conn:set_option`.
  package static let optionNames = [
    APIWord(name: "nodelay", doc: "`true`: small writes leave at once (TCP_NODELAY)."),
    APIWord(name: "keepalive", doc: "`true`: the system probes an idle peer (SO_KEEPALIVE)."),
    APIWord(name: "send_buffer", doc: "The kernel's send buffer, in bytes (SO_SNDBUF)."),
    APIWord(name: "receive_buffer", doc: "The kernel's receive buffer, in bytes (SO_RCVBUF)."),
  ]

  package static let reason = APIClass(
    name: "reason", type: "moonpeer.Reason", doc: "Why a connection ended, as `on_disconnect` sees it.",
    fields: [
      field("kind", "moonpeer.ReasonKind", "One of the words below."),
      field("message", "string?", "What happened, for people; nil where the kind says it all."),
    ])

  static let connExample = """
    -- greeter.lua
    local codec = require "moonpeer.codec"

    return {
      codec = codec.lines(),

      handshake = function(_, conn)
        conn:write("HELLO 1\\n")
        local version = conn:read_until("\\n", 64):match("^HELLO (%d+)$")
        if version ~= "1" then error("an unknown greeting") end
        return { version = tonumber(version) }
      end,

      session = function(_, conn)
        while true do
          local line, why = conn:receive("30s")
          if not line then return print("the conversation is over:", why) end
          conn:send("you said " .. line)
        end
      end,
    }
    """
}
