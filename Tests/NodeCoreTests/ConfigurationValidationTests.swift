import NodeCore
import Testing

/// What only the whole configuration can tell, and what was set from Swift without `set`.
@Suite struct ConfigurationValidationTests {
  private func refusal(_ change: (inout NodeConfiguration) -> Void) -> String? {
    var configuration = NodeConfiguration()
    change(&configuration)
    do {
      _ = try configuration.validated()
      return nil
    } catch {
      return error.message
    }
  }

  @Test(arguments: [(7, 7), (100, 100), (500, 100)])
  func `max_connecting is clamped to max_connections`(connections: Int, expected: Int) throws {
    var configuration = NodeConfiguration()
    configuration.maxConnections = connections
    #expect(try configuration.validated().maxConnecting == expected)
  }

  @Test func `The low-water mark is not above the high one`() {
    #expect(refusal { $0.outboundLowWater = $0.outboundHighWater + 1 }?.hasPrefix("outbound_low_water: ") == true)
    #expect(refusal { $0.outboundLowWater = $0.outboundHighWater } == nil)
  }

  @Test func `A backlog has the system's bound`() {
    #expect(refusal { $0.listenerBacklog = 65_536 }?.hasPrefix("listener_backlog: ") == true)
  }

  @Test func `What is negative or endless is refused though it did not come from a text`() {
    #expect(refusal { $0.maxConnections = -1 }?.hasPrefix("max_connections: ") == true)
    #expect(refusal { $0.maxReadBuffer = -1 }?.hasPrefix("max_read_buffer: ") == true)
    #expect(refusal { $0.idleTimeout = .seconds(-1) }?.hasPrefix("idle_timeout: ") == true)
    #expect(refusal { $0.writeTimeout = .seconds(Int64.max) }?.hasPrefix("write_timeout: ") == true)
    #expect(refusal { $0.maxConnectionsPerSubnet = 0 }?.hasPrefix("max_connections_per_subnet: 0") == true)
  }
}
