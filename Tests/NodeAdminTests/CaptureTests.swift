import Foundation
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

@testable import NodeAdmin

@Suite(.timeLimit(.minutes(5))) struct CaptureTests {
  private static let echo = """
    return { codec = require "moonpeer.codec".lines { max = "1MiB" },
      process_message = function(_, conn, message) conn:send(message) end }
    """

  private func withCapture<T>(mostWaiting: Int = 16 << 20, _ body: (PacketCapture, String) async throws -> T) async throws -> T {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString).pcapng").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(try PacketCapture(creating: path, mostWaiting: mostWaiting), path)
  }

  @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
  func `Both directions of a connection are one stream with every byte in its place`(at: String) async throws {
    try await withCapture { capture, path in
      let (server, client) = try await withNode(
        Self.echo.replacing("return {", with: "return { config = { listen = '\(at)' },"), tap: capture
      ) { server in
        try await withNode("return { codec = require 'moonpeer.codec'.lines { max = '1MiB' } }", name: "ben") { client in
          let own = try await client.lua(
            """
            local conn = assert(node:connect(...))
            for _, text in ipairs { "one", "two", ("x"):rep(100000) } do assert(conn:request(text) == text) end
            local own = conn.local_address
            node:disconnect(conn)
            return own
            """, server.at)
          try await eventually("it is over") { await server.snapshot().node.disconnects.count == 1 }
          return (await server.node.address!, try PeerAddress(parsing: own.text!))
        }
      }
      let summary = await capture.close()
      let reader = try PcapngReader(path)
      #expect(summary == .init(packets: UInt64(reader.packets.count), leftOut: 0, problem: nil))
      func end(_ address: PeerAddress) -> String {
        address.ip!.bytes.map(String.init).joined(separator: ".") + ":\(address.port!)"
      }
      let expected = Array(("one\ntwo\n" + String(repeating: "x", count: 100_000) + "\n").utf8)
      #expect(try reader.stream(from: end(client), to: end(server)) == expected)
      #expect(try reader.stream(from: end(server), to: end(client)) == expected)
      // Opened by who dialled, ended by both; each packet knows its node, direction and time.
      #expect(reader.packets.prefix(3).map(\.flags) == [2, 18, 16] && reader.packets.suffix(3).map(\.flags) == [17, 17, 16])
      #expect(reader.packets.allSatisfy { $0.interface == "anna" && $0.isInbound == ($0.source == end(client)) })
      #expect(zip(reader.packets, reader.packets.dropFirst()).allSatisfy { $0.nanoseconds <= $1.nanoseconds })
      let comments = reader.packets.map(\.comment)
      #expect(
        comments.contains("anna conn 1 received: message 1") && comments.contains("anna conn 1 sent: message 2"), "\(comments)")
      #expect(comments.filter { $0.contains("message 3") }.count >= 2, "\(comments)")
      #expect(reader.statistics["anna"]?.leftOut == 0)
      #expect(reader.statistics["anna"]?.received == UInt64(reader.packets.count))
    }
  }

  @Test func `A connection within the process is captured once`() async throws {
    try await withCapture { capture, path in
      try await withNode(Self.echo, tap: capture) { server in
        try await withNode(Self.echo, name: "ben", tap: capture) { client in
          try await client.lua("assert(node:connect(...)):request('x')", server.at)
        }
      }
      _ = await capture.close()
      let reader = try PcapngReader(path)
      #expect(Set(reader.packets.map(\.interface)).count == 1)
      #expect(reader.packets.filter { $0.payload == Array("x\n".utf8) }.count == 2)
    }
  }

  @Test func `Unix sockets get addresses, and their path stands in the comment`() async throws {
    let socket = FileManager.default.temporaryDirectory.appendingPathComponent("mp-\(UUID().uuidString.prefix(8))").path
    try await withCapture { capture, path in
      let listening = Self.echo.replacing("return {", with: "return { config = { listen = 'unix:\(socket)' },")
      try await withNode(listening, tap: capture, unixSockets: [socket]) { server in
        try await withNode(Self.echo, name: "ben", unixSockets: [socket]) { client in
          try await client.lua("assert(node:connect(...)):request('x')", server.at)
        }
        try await eventually("it is over") { await server.snapshot().node.disconnects.count == 1 }
      }
      _ = await capture.close()
      let packets = try PcapngReader(path).packets
      let message = try #require(packets.first { !$0.payload.isEmpty })
      #expect(message.source.hasPrefix("127.2.") && message.target.hasPrefix("127.1.") && message.target.hasSuffix(":1"))
      #expect(message.comment == "anna conn 1 received: message 1 (unix:\(socket))")
    }
  }

  @Test func `Handshakes and codecs in Lua are captured as far as the engine can tell`() async throws {
    let script = """
      local codec = require "moonpeer.codec"
      return {
        -- Who accepted answers last, so that the first message comes in a read of its own.
        handshake = function(_, conn)
          if conn.side == "initiator" then conn:write("hi") end
          conn:read(2)
          if conn.side == "responder" then conn:write("hi") end
        end,
        codec = codec.custom { decode = function(buffer) return buffer:bytes(1, 1), 1 end, encode = function(m) return m end },
        process_message = function(_, conn, message) if conn.side == "responder" then conn:send(message) end end,
      }
      """
    try await withCapture { capture, path in
      try await withNode(script, tap: capture) { server in
        try await withNode(script, name: "ben") { client in
          try await client.lua(
            "local conn = assert(node:connect(...)) assert(conn:request('a') == 'a') conn:request('b')", server.at)
        }
      }
      _ = await capture.close()
      let comments = try PcapngReader(path).packets.map(\.comment)
      for comment in [
        "received: handshake", "sent: handshake", "received: part of message 1", "sent: message 1", "received: part of message 2",
      ] {
        #expect(comments.contains("anna conn 1 \(comment)"), "\(comments)")
      }
    }
  }

  @Test func `What finds the queue full is left out and counted, and the rest keeps its place`() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("moonpeer-\(UUID().uuidString).pcapng").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    let writer = CaptureWriter(descriptor)
    writer.write(PcapngBlocks.sectionHeader(application: "test"))
    let connection = TappedConnection(
      node: "anna", nodeID: 1, id: ConnectionID(rawValue: 1), side: .responder, local: try PeerAddress(parsing: "127.0.0.1:1"),
      peer: try PeerAddress(parsing: "127.0.0.2:2"))
    // The second message was left out: its bytes count all the same.
    for (offset, text) in [(UInt64(0), "one"), (100, "three")] {
      writer.write(
        CaptureRecord(
          connection: connection, nanoseconds: 1, received: offset, sent: 0,
          event: .data(isInbound: true, Array(text.utf8), .raw)))
    }
    let summary = writer.finish(["anna": 1])
    #expect(summary == .init(packets: 2, leftOut: 1, problem: nil))
    let reader = try PcapngReader(path)
    #expect(reader.packets.map(\.sequence) == [1, 101])
    #expect(reader.statistics["anna"]?.received == 3 && reader.statistics["anna"]?.leftOut == 1)
  }

  @Test func `A queue without room takes nothing, and says how much that was`() async throws {
    try await withCapture(mostWaiting: 0) { capture, path in
      try await withNode(Self.echo, tap: capture) { server in
        try await withNode(Self.echo, name: "ben") { client in
          try await client.lua("assert(node:connect(...)):request('x')", server.at)
        }
        try await eventually("it is over") { await server.snapshot().node.disconnects.count == 1 }
      }
      // Three to open, one message in each direction, three to close.
      let summary = await capture.close()
      #expect(summary == .init(packets: 0, leftOut: 8, problem: nil))
      #expect(try PcapngReader(path).packets.isEmpty)
    }
  }

  @Test func `A full disk ends the capture, not the node`() async throws {
    let capture = PacketCapture(writingTo: CaptureWriter(open("/dev/full", O_WRONLY)))
    try await withNode(Self.echo, tap: capture) { server in
      try await withNode(Self.echo, name: "ben") { client in
        let answer = try await client.lua("return (assert(node:connect(...)):request('x'))", server.at)
        #expect(answer == "x")
      }
    }
    let summary = await capture.close()
    #expect(summary.problem == "No space left on device" && summary.packets == 0 && summary.leftOut > 0)
  }

  @Test func `The file is its owner's, and one that is there is not touched`() async throws {
    try await withCapture { capture, path in
      let mode = try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)
      #expect(mode.intValue == 0o600)
      do throws(AdminError) {
        _ = try PacketCapture(creating: path)
        Issue.record("written over")
      } catch {
        #expect(error.code == .exists && error.message == "\"\(path)\" is there already; move it away, or name another file")
      }
      do throws(AdminError) {
        _ = try PacketCapture(creating: "/nowhere/x.pcapng")
        Issue.record("written nowhere")
      } catch {
        #expect(error.code == .system && error.message == "cannot write \"/nowhere/x.pcapng\": No such file or directory")
      }
      _ = await capture.close()
    }
  }
}
