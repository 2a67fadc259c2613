import NodeCore
import NodeEngine
import NodeScripting

extension JSONValue {
  static func summary(of node: NodeDetails) -> JSONValue {
    [
      "name": .string(node.name), "addresses": .array(node.addresses.map { .string("\($0)") }),
      "connected": JSONValue(node.connected), "connecting": JSONValue(node.connecting),
      "generation": JSONValue(node.generation), "version": node.version.map { .integer($0) } ?? .null,
      "script": .string(node.script), "connections_of_earlier_code": JSONValue(node.connectionsOfEarlierCode),
    ]
  }

  static func numbers(of node: NodeDetails) -> JSONValue {
    [
      "name": .string(node.name), "connected": JSONValue(node.connected), "connecting": JSONValue(node.connecting),
      "waiting_tasks": JSONValue(node.waitingTasks), "traffic": traffic(node.statistics),
      "heuristics": .object(counters(node.heuristics)), "lua_memory": JSONValue(node.luaMemory),
      "lua_memory_peak": JSONValue(node.luaMemoryPeak),
    ]
  }

  static func connection(_ connection: ConnectionDetails, of node: String) -> JSONValue {
    [
      "node": .string(node), "id": JSONValue(connection.info.id.rawValue), "address": .string("\(connection.info.address)"),
      "local_address": .string("\(connection.info.localAddress)"), "side": .string(connection.info.side.rawValue),
      "peer": JSONValue(connection.info.peer), "generation": JSONValue(connection.generation),
      "traffic": traffic(connection.statistics),
    ]
  }

  static func task(_ task: WaitingTask, of node: String) -> JSONValue {
    [
      "node": .string(node), "purpose": .string(task.purpose), "waits_for": .string(task.waitsFor),
      "seconds": JSONValue(task.duration), "connection": task.connection.map { JSONValue($0.rawValue) } ?? .null,
      "generation": JSONValue(task.generation), "traceback": .string(task.traceback),
    ]
  }

  static func traced(_ message: TracedMessage) -> JSONValue {
    [
      "direction": .string(message.direction), "time": .number(message.time), "message": .string(message.text),
      "left_out": JSONValue(message.leftOut),
    ]
  }

  private static func traffic(_ statistics: TrafficStatistics) -> JSONValue {
    [
      "messages_sent": JSONValue(statistics.messagesSent), "bytes_sent": JSONValue(statistics.bytesSent),
      "messages_received": JSONValue(statistics.messagesReceived), "bytes_received": JSONValue(statistics.bytesReceived),
      "created_at": .number(statistics.createdAt),
    ]
  }

  /// All counters by their names in Lua, so that one that is added is here too.
  private static func counters(_ heuristics: Heuristics) -> [String: JSONValue] {
    var counters: [String: JSONValue] = [:]
    for child in Mirror(reflecting: heuristics).children {
      guard let label = child.label, let value = child.value as? UInt64 else { continue }
      counters[snakeCase(label)] = JSONValue(value)
    }
    return counters
  }

  /// `rejectedPerIP` → `rejected_per_ip`
  private static func snakeCase(_ label: String) -> String {
    var result = ""
    var wasUpper = true
    for letter in label {
      if letter.isUppercase, !wasUpper { result += "_" }
      wasUpper = letter.isUppercase
      result += letter.lowercased()
    }
    return result
  }
}
