import NodeCore
import Testing

/// What each key takes, and what it says when it refuses.
@Suite struct ConfigurationValuesTests {
  private func refusal(_ name: String, _ value: ConfigurationValue) -> String? {
    var configuration = NodeConfiguration()
    do {
      try configuration.set(name, to: value)
      _ = try configuration.validated()
      return nil
    } catch {
      #expect(error.code == .configuration)
      return error.message
    }
  }

  private func value(_ name: String, _ value: ConfigurationValue) throws -> ConfigurationValue? {
    var configuration = NodeConfiguration()
    try configuration.set(name, to: value)
    return NodeConfiguration.keys.first { $0.name == name }!.value(of: configuration)
  }

  @Test(arguments: [
    "listener_backlog", "max_connections", "max_connections_per_ip", "max_connections_per_subnet", "max_connecting",
    "connection_timeout", "handshake_timeout", "write_timeout", "on_disconnect_timeout", "on_shutdown_timeout",
    "inbound_queue", "outbound_high_water", "outbound_low_water", "max_read_buffer",
  ])
  func `0 is refused with the name of the key`(name: String) {
    #expect(refusal(name, .integer(0))?.hasPrefix("\(name): 0 makes no sense") == true)
  }

  @Test(arguments: ["idle_timeout", "script_memory", "script_time"])
  func `0 means none where none makes sense`(name: String) {
    #expect(refusal(name, .integer(0)) == nil)
  }

  @Test(arguments: NodeConfiguration.keys.filter { [.count, .size, .duration].contains($0.kind) }.map(\.name))
  func `Negative, broken and foreign values are refused with the name of the key`(name: String) {
    for value: ConfigurationValue in [
      .integer(-1), .number(-0.5), .string("-3"), .string(""), .string("many"), .string("3 lightyears"), .boolean(true),
      .list(["1"]), .number(.nan), .number(.infinity), .string("99999999999999999999999"), .integer(.min),
    ] {
      #expect(refusal(name, value)?.hasPrefix("\(name): ") == true, "\(value)")
    }
  }

  @Test(arguments: NodeConfiguration.keys.filter { $0.kind == .count }.map(\.name))
  func `A count is whole, and not beyond reason`(name: String) throws {
    #expect(refusal(name, .number(1.5)) != nil)
    #expect(refusal(name, .integer(.max)) != nil)
    #expect(try value(name, .number(7)) == .integer(7))
    #expect(try value(name, .string("7")) == .integer(7))
  }

  @Test func `Durations are seconds, or carry their unit`() throws {
    for (text, seconds) in [
      ("250ms", 0.25), ("3s", 3), ("2m", 120), ("1h", 3600), ("1d", 86_400), ("100us", 0.0001), ("1.5", 1.5), ("2 s", 2),
    ] {
      #expect(try value("idle_timeout", .string(text)) == .number(seconds), "\(text)")
    }
    #expect(try value("idle_timeout", .number(0.25)) == .number(0.25))
    #expect(try value("idle_timeout", .integer(5)) == .number(5))
    #expect(refusal("idle_timeout", .string("200000d")) != nil, "over a century")
  }

  @Test func `Sizes are bytes, or carry their unit`() throws {
    for (text, bytes) in [
      ("65536", 65_536), ("64KiB", 65_536), ("1MiB", 1 << 20), ("10KB", 10_000), ("1.5kib", 1536), ("2 GiB", 2 << 30), ("7B", 7),
    ] {
      #expect(try value("outbound_high_water", .string(text)) == .integer(Int64(bytes)), "\(text)")
    }
    #expect(refusal("outbound_high_water", .string("0.3B")) != nil)
    #expect(refusal("outbound_high_water", .string("9999999GiB")) != nil)
    #expect(refusal("outbound_high_water", .string("64KiBs")) != nil)
  }

  @Test(arguments: [
    ("max_conections", "max_connections"), ("idle_timout", "idle_timeout"), ("inboundpolicy", "inbound_policy"),
    ("MAX_CONNECTIONS", "max_connections"), ("lisetn", "listen"),
  ])
  func `An unknown key names the nearest one`(typo: String, meant: String) {
    #expect(refusal(typo, .integer(1)) == "there is no configuration key \"\(typo)\"; did you mean \"\(meant)\"?")
  }

  @Test func `An unknown key that is like none is refused without a guess`() {
    #expect(refusal("colour", .integer(1)) == "there is no configuration key \"colour\"")
  }

  @Test func `Choices, flags and names`() throws {
    #expect(try value("inbound_policy", .string("drop")) == .string("drop"))
    #expect(refusal("inbound_policy", .string("dorp"))?.contains("\"backpressure\" or \"drop\"") == true)
    #expect(try value("reuse_port", .string("true")) == .boolean(true))
    #expect(refusal("reuse_port", .integer(1)) != nil)
    #expect(try value("name", .integer(5)) == .string("5"))
    #expect(try value("max_connections_per_subnet", .string("none")) == nil)
    for name in ["", "a b", "a\n", String(repeating: "x", count: 65)] {
      #expect(refusal("name", .string(name))?.hasPrefix("name: ") == true)
    }
  }

  @Test func `Where to listen: one, several, none`() throws {
    #expect(try value("listen", .string("[::1]:5")) == .list(["[::1]:5"]))
    #expect(try value("listen", .list(["127.0.0.1:1", "unix:/x"])) == .list(["127.0.0.1:1", "unix:/x"]))
    #expect(try value("listen", .string("none")) == .list([]))
    #expect(try value("listen", .boolean(false)) == .list([]))
    #expect(refusal("listen", .string("nowhere"))?.hasPrefix("listen: \"nowhere\" is not an address") == true)
    #expect(refusal("listen", .integer(4000)) != nil)
  }
}
