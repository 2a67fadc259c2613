import NodeCore

extension LuaAPI {
  package static let error = APIClass(
    name: "error", type: "moonpeer.Error",
    doc:
      """
      A structured error: raised by raw reads and writes and by wrong use, and given after nil by dials. `tostring` \
      shows its message. An error a script raises itself is its own value; `error(\"text\")` stays a text.
      """,
    fields: [
      field("kind", "moonpeer.ErrorKind", "One of the words below."),
      field("message", "string", "What happened, for people."),
      field("peer", "moonpeer.Address?", "The peer it was about."),
      field("position", "integer?", "Kind `json`, decoding: where in the text, from 1."),
      field("path", "string?", "Kind `json`, encoding: which part of the value."),
      field("where", "string?", "Kind `expectation`: file:line of the property or expectation."),
    ])

  /// Every `kind` an error of ours can have.
  package static let errorKinds: [APIWord] = [
    APIWord(name: "address", doc: "A text is no address, or an address cannot be used."),
    APIWord(name: "address_in_use", doc: "Another socket listens there."),
    APIWord(name: "budget", doc: "The script ran over `script_time` or `script_memory`. It cannot be caught."),
    APIWord(name: "busy", doc: "The connection has a reader already."),
    APIWord(name: "cancelled", doc: "The task or dial was cancelled while it waited."),
    APIWord(name: "closed", doc: "The connection is closed, or closed while it was waited for."),
    APIWord(name: "configuration", doc: "A configuration key or option was refused."),
    APIWord(name: "decode", doc: "Bytes are no message; raised by `codec.invalid` too."),
    APIWord(name: "duplicate", doc: "There is a connection with that peer already, or one is being set up."),
    APIWord(name: "expectation", doc: "A scenario's expectation or property does not hold."),
    APIWord(
      name: "full",
      doc: "`node:call`: `max_calls` are under way, here or there, or what they carry takes a quarter of `script_memory`."),
    APIWord(name: "handshake", doc: "The handshake hook failed."),
    APIWord(name: "json", doc: "A text is no JSON, or a value cannot be."),
    APIWord(
      name: "limit",
      doc:
        """
        One of `max_connections`, `max_connections_per_ip`, `max_connections_per_subnet`, `max_connecting`, \
        `max_listeners` is used up, or calls that wait for each other are over 32 deep.
        """
    ),
    APIWord(name: "load", doc: "A module was not found or could not be loaded."),
    APIWord(
      name: "not_allowed", doc: "A Unix socket that whoever runs the node has not named (`--unix-sockets`)."),
    APIWord(name: "refused", doc: "Nobody listens there."),
    APIWord(name: "replaced", doc: "The code was replaced by a reload, and what ran in it and was no hook ended."),
    APIWord(name: "resolve", doc: "The name has no address."),
    APIWord(name: "script", doc: "A hook raised an error of its own."),
    APIWord(name: "self", doc: "The node's own address."),
    APIWord(name: "shutdown", doc: "The node is shutting down or has stopped."),
    APIWord(name: "stopped", doc: "A scenario's node is not running."),
    APIWord(name: "system", doc: "The system refused; the message has its words."),
    APIWord(name: "timeout", doc: "It took longer than it may."),
    APIWord(name: "too_large", doc: "More bytes than the codec's `max`, a read's bound, or what a call may take or give."),
    APIWord(name: "unknown", doc: "`node:call`: no node has that name in this process."),
    APIWord(name: "unknown_call", doc: "The script has no such call."),
    APIWord(name: "usage", doc: "A call was made in a way it cannot be; the message says how it can."),
  ]

  /// Every `reason.kind`, with what it means; the switch makes a new one impossible to forget.
  package static let reasonKinds: [APIWord] = DisconnectReason.Kind.allCases.map { kind in
    let doc =
      switch kind {
      case .local: "This side asked for it."
      case .eof: "The peer closed its side."
      case .reset: "The peer reset the connection."
      case .idle: "No message came for `idle_timeout`."
      case .decode: "The peer's bytes are no message."
      case .read: "The system could not read from the connection."
      case .write: "The system could not write to it."
      case .writeTimeout: "The peer did not read for `write_timeout`."
      case .script: "A hook raised an error."
      case .budget: "The script ran over its time or memory."
      case .sessionEnded: "`session` returned."
      case .shutdown: "The node shuts down."
      }
    return APIWord(name: kind.rawValue, doc: doc)
  }

  package static let heuristics = APIClass(
    name: "heuristics", type: "moonpeer.Heuristics", doc: "What `node:heuristics()` gives: counters that only grow.",
    fields: Heuristics.counters.map {
      field($0.name, "integer", sentence($0.help))
    })

  static let errorExample = """
    -- careful.lua
    return {
      handshake = function(_, conn)
        local ok, problem = pcall(conn.read_until, conn, "\\n", "1KiB")
        if not ok and type(problem) == "table" and problem.kind == "too_large" then
          conn:write("that is too much\\n")
        end
        if not ok then error(problem, 0) end
      end,
      on_disconnect = function(_, conn, reason)
        if reason.kind ~= "eof" then print(conn.address, reason.kind, reason.message) end
      end,
    }
    """
}
