import ArgumentParser
import Logging
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Synchronization

/// The message path from one node's send to the other's hook, so many times and without sockets: for counting
/// instructions.
enum ReplayCase: String, CaseIterable {
  /// 16-byte messages, hooks in Lua on both ends.
  case lua
  /// The same, hooks in Swift.
  case swift
  /// As `lua`, cut by a decoder in Lua.
  case custom
  /// 64 bytes there and back, one in flight, hooks in Lua: what a read, a run and a write cost that carry one message.
  case echo
  /// The same from 64 nodes to one, one in flight for each: as `echo`, in the memory of 65 VMs. For callgrind's `--cache-sim`.
  case echoes

  /// What `make instructions` counts.
  static let guarded: [ReplayCase] = [.lua, .swift, .custom, .echo]

  func run(_ messages: Int) throws {
    let loop = ReplayLoop()
    let transport = MemoryTransport()
    var logger = Logger(label: "replay")
    logger.logLevel = .critical
    let nodes = Nodes { [logger] in NodeEnvironment(scheduler: loop, transport: transport, logger: logger) }
    let arrived = try loop.run {
      switch self {
      case .lua: try await stream(messages, "length_prefixed", nodes, loop)
      case .custom: try await stream(messages, "custom", nodes, loop)
      case .swift: try await volley(messages, nodes, loop)
      case .echo: try await echo(messages, clients: 1, nodes, loop)
      case .echoes: try await echo(messages, clients: 64, nodes, loop)
      }
    }
    guard arrived == Int64(messages) else {
      throw BenchError("\(arrived.map(String.init) ?? "none") of \(messages) messages arrived")
    }
  }

  private func stream(_ messages: Int, _ codec: String, _ nodes: Nodes, _ loop: ReplayLoop) async throws -> Int64? {
    let receiver = try await nodes.lua(StreamCase.receiver, ["codec": LuaValue(codec)])
    let sender = try await nodes.lua(
      StreamCase.sender, ["codec": codec == "custom" ? "two_bytes" : LuaValue(codec)], listens: false)
    _ = try await sender.call("burst", [LuaValue("\(await receiver.node.address!)"), 16, .integer(Int64(messages))])
    await loop.quiet()
    return try await receiver.call("count").first?.int
  }

  private func volley(_ messages: Int, _ nodes: Nodes, _ loop: ReplayLoop) async throws -> Int64? {
    let counter = Counter()
    let receiver = try await nodes.swift(counter)
    let sender = try await nodes.swift(Volley(messages), listens: false)
    _ = try await sender.connect(to: await receiver.address!)
    await loop.quiet()
    guard counter.wrong.load(ordering: .relaxed) == 0 else { throw BenchError("messages came out of order") }
    return Int64(counter.count.load(ordering: .relaxed))
  }

  private func echo(_ messages: Int, clients count: Int, _ nodes: Nodes, _ loop: ReplayLoop) async throws -> Int64? {
    let server = try await nodes.lua(EchoCase.server)
    var clients: [ScriptedNode] = []
    for _ in 0..<count { clients.append(try await nodes.lua(EchoCase.client, listens: false)) }
    let address = LuaValue("\(await server.node.address!)")
    for index in 0..<count {
      let share = messages / count + (index < messages % count ? 1 : 0)
      _ = try await clients[index].call("begin", [address, 64, .integer(Int64(share))])
    }
    await loop.quiet()
    var turns: Int64 = 0
    for client in clients {
      let result = try await client.call("turns")
      guard result[1].int == 0 else { throw BenchError("a reply was not what was sent") }
      turns += result[0].int ?? 0
    }
    return turns
  }
}

/// Sends so many numbered messages of 16 bytes.
final class Volley: OnConnecting, Framed {
  private let count: Int
  init(_ count: Int) { self.count = count }

  func framing(for connection: Connection) -> Framing { .lengthPrefixed() }

  nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
    let message = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 8)
    defer { message.deallocate() }
    message.initializeMemory(as: UInt8.self, repeating: 0x78)
    for number in 0..<count {
      message.storeBytes(of: UInt32(truncatingIfNeeded: number), as: UInt32.self)
      while connection.send(UnsafeRawBufferPointer(message)) != .queued {
        let isOpen = await withCheckedContinuation { continuation in
          _ = connection.whenWritable { continuation.resume(returning: $0) }
        }
        guard isOpen else { throw BenchError("the connection is gone") }
      }
    }
    try await connection.flush()
  }
}

/// One replay; what ``Instructions`` counts.
struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends so many messages in memory; used by instructions.", shouldDisplay: false)
  @Argument(transform: { name in
    guard let found = ReplayCase(rawValue: name) else { throw ValidationError("there is no replay called \(name)") }
    return found
  })
  var subject: ReplayCase
  @Argument var messages: Int

  func run() throws { try subject.run(messages) }
}
