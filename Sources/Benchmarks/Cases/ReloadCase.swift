import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Reloads one after the other of a node that 16 others send numbered messages to as fast as they can: none may be lost,
/// doubled or out of order, and what is measured is how long messages stand still, as a histogram.
enum ReloadCase {
  static let cases =
    [
      Case(
        name: "reload", summary: "%n reloads under load: 16 senders of numbered messages; p99 of the pause, loading included",
        unit: .milliseconds, parameters: Parameters(connections: 16, loops: 4), number: 1000, body: body)
    ] + ReloadMemoryCase.cases

  /// `generation` is what differs from reload to reload.
  static func receiver(_ generation: Int) -> String {
    """
    local codec = require "moonpeer.codec"
    local generation = \(generation)
    local unpack = string.unpack
    return {
      version = generation,
      codec = codec.length_prefixed(),
      init = function(node) node.state.count, node.state.wrong = 0, 0 end,
      process_message = function(node, conn, message)
        local state, own = node.state, conn.state
        local expected = (own.last or 0) + 1
        if unpack(">I8", message) ~= expected then state.wrong = state.wrong + 1 end
        own.last = expected
        state.count = state.count + 1
      end,
      calls = { found = function(node) return node.state.count, node.state.wrong, generation end },
    }
    """
  }

  private static let sender = """
    local codec = require "moonpeer.codec"
    local is_over, sent = false, 0
    return {
      codec = codec.length_prefixed(),
      calls = {
        begin = function(node, address)
          local conn = assert(node:connect(address))
          node:spawn(function()
            while not is_over do
              sent = sent + 1
              assert(conn:send(string.pack(">I8", sent)))
            end
          end)
        end,
        stop = function() is_over = true return sent end,
      },
    }
    """

  static func body(_ parameters: Parameters) async throws -> Measurement {
    // The receiver has a loop of its own, so that what is measured is its work.
    var own = parameters, others = parameters
    own.loops = 1
    others.loops = max(1, parameters.loops - 1)
    let server = try await Nodes(own).lua(receiver(1))
    let address = LuaValue("\(await server.node.address!)")
    let nodes = Nodes(others)
    var senders: [ScriptedNode] = []
    for _ in 0..<parameters.connections {
      let one = try await nodes.lua(sender, listens: false)
      _ = try await one.call("begin", [address])
      senders.append(one)
    }
    try await until("every sender is connected") { await server.node.counts.connected == parameters.connections }
    let count = 1000 / parameters.divisor
    var pauses: [Double] = []
    var holds: [Double] = []
    for generation in 2...(count + 1) {
      let report = try await server.reload(ScriptSource(name: "receiver.lua", text: receiver(generation)))
      guard report.moved == parameters.connections else { throw BenchError("\(report.moved) connections moved") }
      pauses.append((report.staging + report.pause) / .milliseconds(1))
      holds.append(report.pause / .milliseconds(1))
    }
    var sent: Int64 = 0
    for one in senders { sent += try await one.call("stop").first?.int ?? 0 }
    try await until("every message has arrived") { try await server.call("found").first?.int == sent }
    let found = try await server.call("found")
    guard found[1].int == 0, found[2].int == Int64(count + 1) else {
      throw BenchError("messages were lost, doubled or out of order")
    }
    let times = Histogram(pauses, bounds: bounds), held = Histogram(holds, bounds: bounds)
    return Measurement(
      value: times.percentile(0.99),
      more: [
        "p50_ms": times.percentile(0.5), "p90_ms": times.percentile(0.9), "max_ms": times.max,
        "held_p50_ms": held.percentile(0.5), "held_p90_ms": held.percentile(0.9), "held_p99_ms": held.percentile(0.99),
        "held_max_ms": held.max, "messages_per_reload": Double(sent) / Double(count),
      ],
      number: count, histograms: ["pause_ms": times.buckets, "held_ms": held.buckets], checked: Int(sent))
  }

  /// Milliseconds.
  private static let bounds = [0.25, 0.5, 1, 2, 3, 5, 10, 20, 50]
}
