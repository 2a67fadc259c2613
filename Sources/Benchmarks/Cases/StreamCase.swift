import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Synchronization

/// One sender, one receiver, frames of one size as fast as they go.
enum StreamCase {
  static let cases: [Case] =
    [16, 256, 4096, 32768].flatMap { size in
      [Parameters.Hooks.lua, .swift].map { hooks in
        Case(
          name: "stream-\(size)-\(hooks)", summary: "\(size)-byte messages, hooks in \(hooks)", unit: .messages,
          parameters: Parameters(hooks: hooks, size: size), body: hooks == .lua ? lua : swift,
          rawloop: ["stream", "\(size)", "1"])
      }
    } + [
      Case(
        name: "stream-16-custom", summary: "16-byte messages through codec.custom", unit: .messages,
        parameters: Parameters(size: 16, codec: "custom"), body: lua, rawloop: ["stream", "16", "1"])
    ]

  private static let codecs = """
    local codec = require "moonpeer.codec"
    local codecs = {
      length_prefixed = function() return codec.length_prefixed() end,
      two_bytes = function() return codec.length_prefixed { width = 2 } end,
      custom = function()
        return codec.custom {
          decode = function(buffer)
            if #buffer < 2 then return nil end
            local n = buffer:u16(1)
            if #buffer < 2 + n then return nil, 2 + n end
            return buffer:bytes(3, n), 2 + n
          end,
          encode = function(message) return string.pack(">s2", message) end,
        }
      end,
    }
    """

  static let receiver =
    codecs + """

      local count = 0
      return {
        args = { codec = "length_prefixed" },
        codec = function(node) return codecs[node.args.codec]() end,
        process_message = function() count = count + 1 end,
        calls = { count = function() return count end },
      }
      """

  /// As the receiver, and looks at each message's number.
  static let checker =
    codecs + """

      local count, wrong = 0, 0
      local unpack = string.unpack
      return {
        args = { codec = "length_prefixed" },
        codec = function(node) return codecs[node.args.codec]() end,
        process_message = function(_, _, message)
          if unpack(">I4", message) ~= count then wrong = wrong + 1 end
          count = count + 1
        end,
        calls = { count = function() return count end, wrong = function() return wrong end },
      }
      """

  static let sender =
    codecs + """

      return {
        args = { codec = "length_prefixed" },
        codec = function(node) return codecs[node.args.codec]() end,
        process_message = function() end,
        calls = {
          -- stream(address, size, seconds) → how many were sent
          stream = function(node, address, size, seconds)
            local conn = assert(node:connect(address))
            local message, sent, stop = ("x"):rep(size), 0, node:now() + seconds
            repeat
              for _ = 1, 64 do conn:send(message) end
              sent = sent + 64
            until node:now() >= stop
            conn:flush()
            return sent
          end,
          -- burst(address, size, count)
          burst = function(node, address, size, count)
            local conn, message = assert(node:connect(address)), ("x"):rep(size)
            for _ = 1, count do conn:send(message) end
            conn:flush()
          end,
          -- numbered(address, size, count) sends messages that begin with their number
          numbered = function(node, address, size, count)
            local conn, rest = assert(node:connect(address)), ("x"):rep(size - 4)
            for i = 0, count - 1 do conn:send(string.pack(">I4", i) .. rest) end
            conn:flush()
          end,
        },
      }
      """

  static func lua(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let codec = LuaValue(parameters.codec)
    let senderCodec: LuaValue = parameters.codec == "custom" ? "two_bytes" : codec
    let ioLoops = parameters.ioLoops ?? 0
    let receiver = try await nodes.lua(receiver, ["codec": codec], ioLoops: ioLoops)
    let sender = try await nodes.lua(sender, ["codec": senderCodec], listens: false)
    let checker = try await nodes.lua(checker, ["codec": codec], ioLoops: ioLoops)
    let size = LuaValue.integer(Int64(parameters.size))

    let numbered = 20_000
    _ = try await sender.call("numbered", [LuaValue("\(await checker.node.address!)"), size, .integer(Int64(numbered))])
    try await until("all numbered messages") { try await checker.call("count").first?.int == Int64(numbered) }
    guard try await checker.call("wrong").first?.int == 0 else { throw BenchError("messages came out of order") }

    let start = Machine.seconds
    let sent =
      try await sender.call(
        "stream", [LuaValue("\(await receiver.node.address!)"), size, .number(parameters.seconds)]
      ).first?.int ?? 0
    try await until("every message") { try await receiver.call("count").first?.int == sent }
    let elapsed = Machine.seconds - start
    return Measurement(
      value: Double(sent) / elapsed, more: ["gigabytes_per_s": Double(sent) * Double(parameters.size + 4) / elapsed / 1e9],
      checked: numbered + Int(sent))
  }

  static func swift(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let counter = Counter()
    let receiver = try await nodes.swift(counter)
    let flood = Flood(size: parameters.size, seconds: parameters.seconds)
    let sender = try await nodes.swift(flood, listens: false)
    let start = Machine.seconds
    _ = try await sender.connect(to: await receiver.address!)
    try await until("every message") { flood.sent.withLock { $0 }.map { $0 == counter.count.load(ordering: .relaxed) } ?? false }
    let elapsed = Machine.seconds - start
    let sent = counter.count.load(ordering: .relaxed)
    guard counter.wrong.load(ordering: .relaxed) == 0 else { throw BenchError("messages came out of order") }
    return Measurement(
      value: Double(sent) / elapsed, more: ["gigabytes_per_s": Double(sent) * Double(parameters.size + 4) / elapsed / 1e9],
      checked: sent)
  }
}

/// Counts messages, and looks at their numbers.
final class Counter: MessageProcessing, Framed {
  let count = Atomic(0)
  let wrong = Atomic(0)

  func framing(for connection: Connection) -> Framing { .lengthPrefixed() }

  func process(_ message: UnsafeRawBufferPointer, from connection: Connection) {
    let number = count.load(ordering: .relaxed)
    if message.loadUnaligned(as: UInt32.self) != UInt32(truncatingIfNeeded: number) { wrong.add(1, ordering: .relaxed) }
    count.store(number &+ 1, ordering: .relaxed)
  }
}

/// Sends numbered messages for so long.
final class Flood: OnConnecting, Framed {
  private let size: Int
  private let seconds: Double
  /// How many, once it is over.
  let sent = Mutex<Int?>(nil)

  init(size: Int, seconds: Double) {
    self.size = size
    self.seconds = seconds
  }

  func framing(for connection: Connection) -> Framing { .lengthPrefixed() }

  nonisolated(nonsending) func onConnect(_ connection: Connection) async throws {
    let message = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
    defer { message.deallocate() }
    message.initializeMemory(as: UInt8.self, repeating: 0x78)
    let stop = Machine.seconds + seconds
    var number = 0
    repeat {
      for _ in 0..<64 {
        message.storeBytes(of: UInt32(truncatingIfNeeded: number), as: UInt32.self)
        while connection.send(UnsafeRawBufferPointer(message)) != .queued {
          let isOpen = await withCheckedContinuation { continuation in
            _ = connection.whenWritable { continuation.resume(returning: $0) }
          }
          guard isOpen else { throw BenchError("the connection is gone") }
        }
        number += 1
      }
    } while Machine.seconds < stop
    try await connection.flush()
    sent.withLock { $0 = number }
  }
}
