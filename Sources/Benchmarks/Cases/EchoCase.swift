import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Synchronization

/// Round trips of 64-byte messages, one in flight per connection.
enum EchoCase {
  static let cases: [Case] =
    [(1, 1), (1, 2), (64, 1), (64, 2)].flatMap { connections, loops in
      [Parameters.Hooks.lua, .swift].map { hooks in
        one(
          loops == 1 ? "one-loop" : "two-loops", "both nodes on \(loops == 1 ? "one loop" : "two loops")",
          Parameters(hooks: hooks, size: 64, connections: connections, loops: loops))
      }
    } + [
      // As many threads as there are cores on the machine of the targets, which is what the others take too.
      one(
        "io-2", "the server with io_loops = 2, the clients on two loops",
        Parameters(hooks: .lua, size: 64, connections: 64, loops: 3, ioLoops: 2))
    ]

  private static func one(_ name: String, _ place: String, _ parameters: Parameters) -> Case {
    Case(
      name: "echo-\(parameters.connections)-\(parameters.hooks)-\(name)",
      summary: "64-byte echo, \(parameters.connections) in flight, hooks in \(parameters.hooks), \(place)",
      unit: .roundTrips, parameters: parameters, body: parameters.hooks == .lua ? lua : swift,
      rawloop: ["echo", "64", "\(parameters.connections)"])
  }

  static let server = """
    local codec = require "moonpeer.codec"
    return { codec = codec.length_prefixed(), process_message = function(_, conn, message) conn:send(message) end }
    """

  static let client = """
    local codec = require "moonpeer.codec"
    local turns, wrong, is_over, message, limit = 0, 0, false, "", math.maxinteger
    return {
      codec = codec.length_prefixed(),
      process_message = function(_, conn, reply)
        turns = turns + 1
        if reply ~= message then wrong = wrong + 1 end
        if turns < limit and not is_over then conn:send(reply) end
      end,
      calls = {
        begin = function(node, address, size, count)
          message, limit = ("x"):rep(size), count or limit
          assert(node:connect(address)):send(message)
        end,
        turns = function() return turns, wrong end,
        stop = function() is_over = true return turns, wrong end,
      },
    }
    """

  /// As the client, and keeps how long each turn took, in steps of 1 µs up to 0.1 s.
  private static let timing = """
    local codec = require "moonpeer.codec"
    local histogram, started, is_over = {}, 0, false
    return {
      codec = codec.length_prefixed(),
      process_message = function(node, conn, reply)
        local now = node:now()
        local slot = math.min((now - started) * 1e6 // 1, 1e5)
        histogram[slot] = (histogram[slot] or 0) + 1
        started = now
        if not is_over then conn:send(reply) end
      end,
      calls = {
        begin = function(node, address, size)
          local conn = assert(node:connect(address))
          started = node:now()
          conn:send(("x"):rep(size))
        end,
        stop = function()
          is_over = true
          local slots = {}
          for slot, count in pairs(histogram) do slots[#slots + 1] = { slot, count } end
          return slots
        end,
      },
    }
    """

  /// Where the server and the clients live: of two loops each has one, so that both are equally busy.
  private static func sides(_ parameters: Parameters) -> (server: Nodes, clients: Nodes) {
    guard parameters.loops > 1 else {
      let nodes = Nodes(parameters)
      return (nodes, nodes)
    }
    var (one, others) = (parameters, parameters)
    one.loops = 1
    others.loops -= 1
    return (Nodes(one), Nodes(others))
  }

  static func lua(_ parameters: Parameters) async throws -> Measurement {
    let (servers, nodes) = sides(parameters)
    let server = try await servers.lua(server, ioLoops: parameters.ioLoops ?? 0)
    let words: [LuaValue] = [LuaValue("\(await server.node.address!)"), .integer(Int64(parameters.size))]
    let clients = try await begin(client, parameters, nodes, words)
    let first = try await sum(clients, "turns")
    let (start, startCPU) = (Machine.seconds, Machine.cpuSeconds)
    try await Task.sleep(for: .seconds(parameters.seconds))
    let last = try await sum(clients, "stop")
    let (elapsed, cpu) = (Machine.seconds - start, Machine.cpuSeconds - startCPU)
    let turns = last - first

    let timed = try await begin(timing, parameters, nodes, words)
    try await Task.sleep(for: .seconds(parameters.seconds / 2))
    var histogram: [Double: Double] = [:]
    for one in timed {
      for slot in try await one.call("stop").first?.table?.array.compactMap(\.table?.array) ?? [] {
        histogram[slot[0].double ?? 0, default: 0] += slot[1].double ?? 0
      }
    }
    return Measurement(
      value: Double(turns) / elapsed,
      more: [
        "cpu_us": cpu / Double(turns) * 1e6, "p50_us": percentile(histogram, 0.5), "p99_us": percentile(histogram, 0.99),
      ],
      checked: Int(turns))
  }

  /// A client node for each connection: a second connection to one address is refused.
  private static func begin(
    _ script: String, _ parameters: Parameters, _ nodes: Nodes, _ words: [LuaValue]
  ) async throws -> [ScriptedNode] {
    var clients: [ScriptedNode] = []
    for _ in 0..<parameters.connections { clients.append(try await nodes.lua(script, listens: false)) }
    for one in clients { _ = try await one.call("begin", words) }
    return clients
  }

  private static func sum(_ clients: [ScriptedNode], _ call: String) async throws -> Int64 {
    var total: Int64 = 0
    for one in clients {
      let result = try await one.call(call)
      guard result[1].int == 0 else { throw BenchError("a reply was not what was sent") }
      total += result[0].int ?? 0
    }
    return total
  }

  private static func percentile(_ histogram: [Double: Double], _ share: Double) -> Double {
    let total = histogram.values.reduce(0, +)
    var seen = 0.0
    for slot in histogram.keys.sorted() {
      seen += histogram[slot]!
      if seen >= total * share { return slot }
    }
    return 0
  }

  static func swift(_ parameters: Parameters) async throws -> Measurement {
    let (servers, nodes) = sides(parameters)
    let server = try await servers.swift(EchoServer())
    let pinger = EchoClient(size: parameters.size)
    let address = await server.address!
    var clients: [Node] = []
    for _ in 0..<parameters.connections {
      let client = try await nodes.swift(pinger, listens: false)
      _ = try await client.connect(to: address)
      clients.append(client)
    }
    let first = pinger.turns.load(ordering: .relaxed)
    let (start, startCPU) = (Machine.seconds, Machine.cpuSeconds)
    try await Task.sleep(for: .seconds(parameters.seconds))
    let turns = pinger.turns.load(ordering: .relaxed) - first
    let (elapsed, cpu) = (Machine.seconds - start, Machine.cpuSeconds - startCPU)
    pinger.isOver.store(true, ordering: .relaxed)
    for client in clients { await client.shutDown() }
    return Measurement(
      value: Double(turns) / elapsed, more: ["cpu_us": cpu / Double(turns) * 1e6], checked: turns)
  }
}

final class EchoServer: MessageProcessing, Framed {
  func framing(for connection: Connection) -> Framing { .lengthPrefixed() }
  func process(_ message: UnsafeRawBufferPointer, from connection: Connection) { _ = connection.send(message) }
}

final class EchoClient: MessageProcessing, OnConnecting, Framed {
  let turns = Atomic(0)
  let isOver = Atomic(false)
  private let message: [UInt8]

  init(size: Int) { message = [UInt8](repeating: 0x78, count: size) }

  func framing(for connection: Connection) -> Framing { .lengthPrefixed() }
  nonisolated(nonsending) func onConnect(_ connection: Connection) async throws { try await connection.send(message) }

  func process(_ reply: UnsafeRawBufferPointer, from connection: Connection) throws {
    guard reply.elementsEqual(message) else { throw BenchError("a reply was not what was sent") }
    turns.add(1, ordering: .relaxed)
    if !isOver.load(ordering: .relaxed) { _ = connection.send(reply) }
  }
}
