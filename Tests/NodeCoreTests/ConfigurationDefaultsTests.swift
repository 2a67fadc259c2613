import NodeCore
import Testing

/// The table of docs/design: every key, its default, and that it is the one in force.
@Suite struct ConfigurationDefaultsTests {
  static let table: [(String, ConfigurationValue?)] = [
    ("name", nil),
    ("listen", .list(["127.0.0.1:0"])),
    ("listener_backlog", .integer(128)),
    ("max_listeners", .integer(16)),
    ("reuse_port", .boolean(false)),
    ("max_connections", .integer(100)),
    ("max_connections_per_ip", .integer(16)),
    ("max_connections_per_subnet", nil),
    ("max_connecting", .integer(100)),
    ("connection_timeout", .number(1)),
    ("handshake_timeout", .number(3)),
    ("idle_timeout", .number(60)),
    ("write_timeout", .number(10)),
    ("on_disconnect_timeout", .number(3)),
    ("on_shutdown_timeout", .number(3)),
    ("inbound_queue", .integer(64)),
    ("inbound_policy", .string("backpressure")),
    ("outbound_high_water", .integer(256 << 10)),
    ("outbound_low_water", .integer(64 << 10)),
    ("max_read_buffer", nil), ("io_loops", .integer(0)),
    ("script_memory", .integer(64 << 20)),
    ("script_time", .number(1)),
    ("max_calls", .integer(100)),
    ("reload_timeout", .number(5)),
    ("probation", .number(10)),
    ("probation_hooks", .integer(100)),
    ("probation_failures", .integer(0)),
  ]

  @Test(arguments: table.indices)
  func `A key has the default of the table`(index: Int) throws {
    let (name, expected) = Self.table[index]
    let key = try #require(NodeConfiguration.keys.first { $0.name == name })
    #expect(key.value(of: NodeConfiguration()) == expected)
  }

  @Test func `There is no key beside those of the table`() {
    #expect(NodeConfiguration.keys.map(\.name).sorted() == Self.table.map(\.0).sorted())
  }

  @Test func `The defaults are valid as they are`() throws {
    #expect(try NodeConfiguration().validated() == NodeConfiguration())
  }

  @Test(arguments: table.indices)
  func `What a key says its default is, it takes and gives back`(index: Int) throws {
    let (name, expected) = Self.table[index]
    let key = try #require(NodeConfiguration.keys.first { $0.name == name })
    #expect(!key.help.isEmpty && !key.defaultText.isEmpty)
    guard expected != nil else { return }
    var configuration = NodeConfiguration()
    try configuration.set(name, to: .string(key.defaultText))
    #expect(key.value(of: configuration) == expected)
  }

  @Test func `An option is spelled with dashes`() throws {
    let key = try #require(NodeConfiguration.keys.first { $0.name == "max_connections_per_ip" })
    #expect(key.option == "--max-connections-per-ip")
  }
}
