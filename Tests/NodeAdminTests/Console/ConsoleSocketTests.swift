import Foundation
import Glibc
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

@testable import NodeAdmin

@Suite(.timeLimit(.minutes(5))) struct `The console's socket` {
  private let quiet = "return {}"

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  @Test func `belongs to its owner alone, and goes with its host`() async throws {
    try await TestConsole.with([("one", quiet)]) { console in
      #expect(mode(console.server.path) == 0o600)
      #expect(mode(console.folder) == 0o700)
      #expect(ConsoleFolder(path: console.folder).hosts().map(\.process) == [getpid()])
      await console.server.close()
      #expect(!FileManager.default.fileExists(atPath: console.server.path))
    }
  }

  @Test func `is closed to other users, even where its file and folder let them in`() async throws {
    guard geteuid() == 0 else {
      // Nobody else can be played without root.
      #expect(PeerCredentials(process: 1, user: geteuid()).areWelcome)
      #expect(PeerCredentials(process: 1, user: 0).areWelcome)
      #expect(!PeerCredentials(process: 1, user: geteuid() + 1, group: getegid()).areWelcome)
      return
    }
    try await TestConsole.with([("one", quiet)]) { console in
      #expect(chmod(console.folder, 0o711) == 0 && chmod(console.server.path, 0o666) == 0)
      for (user, greets) in [("65534", false), ("0", true)] {
        let client = Process()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let code = """
          import os, socket, sys
          os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
          s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[2])
          try: data = s.recv(1)
          except ConnectionResetError: data = b""
          print(len(data))
          """
        client.arguments = ["python3", "-c", code, user, console.server.path]
        let output = Pipe()
        client.standardOutput = output
        try client.run()
        try await eventually("the client's end") { !client.isRunning }
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(said == (greets ? "1\n" : "0\n"), "user \(user): \(said), \(client.terminationStatus)")
      }
      #expect(try await console.ask("nodes")["ok"] == true)
    }
  }

  @Test func `is not opened in a folder that others can get into, nor in the place of a foreign file`() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mp-\(UUID().uuidString.prefix(8))").path
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let host = ConsoleHost(version: "test", nodes: { [] }, setLogLevel: { _, _ in })
    await #expect { try await ConsoleServer.start(host, in: ConsoleFolder(path: folder)) } throws: {
      ($0 as? AdminError)?.code == .permissions
    }
    #expect(mode(folder) == 0o755)
    let file = folder + "/file"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
    await #expect { try await ConsoleServer.start(host, at: file) } throws: { ($0 as? AdminError)?.code == .path }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    await #expect { try await ConsoleServer.start(host, at: folder + "/" + String(repeating: "x", count: 200)) } throws: {
      ($0 as? AdminError)?.code == .path
    }
  }

  @Test func `at a path of the user's choosing is opened where nobody else can put another in its place`() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mp-\(UUID().uuidString.prefix(8))").path
    #expect(mkdir(folder, 0o700) == 0)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let host = ConsoleHost(version: "test", nodes: { [] }, setLogLevel: { _, _ in })
    for mode in [0o777, 0o770, 0o702] as [mode_t] {
      #expect(chmod(folder, mode) == 0)
      await #expect { try await ConsoleServer.start(host, at: folder + "/x") } throws: {
        ($0 as? AdminError)?.code == .permissions
      }
      #expect(mkdir(folder + "/x", 0o700) == 0 && rmdir(folder + "/x") == 0)
    }
    for mode in [0o700, 0o755, 0o1777] as [mode_t] {
      #expect(chmod(folder, mode) == 0)
      let server = try await ConsoleServer.start(host, at: folder + "/x")
      #expect(self.mode(folder + "/x") == 0o600)
      await server.close()
    }
    if geteuid() == 0 {
      #expect(chown(folder, 65534, 65534) == 0 && chmod(folder, 0o755) == 0)
      await #expect { try await ConsoleServer.start(host, at: folder + "/x") } throws: {
        ($0 as? AdminError)?.code == .permissions
      }
    }
    await #expect { try await ConsoleServer.start(host, at: folder + "/none/x") } throws: {
      ($0 as? AdminError)?.code == .permissions
    }
  }

  @Test func `is closed to its own process, so that no script, and no peer through one, is let in`() async throws {
    #expect(!PeerCredentials(process: getpid(), user: geteuid()).areWelcome)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mp-\(UUID().uuidString.prefix(8))").path
    #expect(mkdir(folder, 0o700) == 0)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let host = ConsoleHost(version: "test", nodes: { [] }, setLogLevel: { _, _ in })
    let server = try await ConsoleServer.start(host, in: ConsoleFolder(path: folder))
    let address = LuaValue("unix:\(server.path)")
    try await withNode("return {}") { node in
      let kind = try await node.lua("return select(2, node:open(...)).kind", address)
      #expect(kind == "not_allowed")
    }
    // Where who runs the nodes has allowed even that.
    try await withNode("return {}", unixSockets: [folder]) { node in
      let heard = try await node.lua(
        "local conn = node:open(...) return conn == nil or (conn:receive('60s') == nil)", address)
      #expect(heard == true)
    }
    let code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(11))"
    let client = Process()
    client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    client.arguments = ["python3", "-c", code, server.path]
    let output = Pipe()
    client.standardOutput = output
    try client.run()
    try await eventually("the client's end") { !client.isRunning }
    #expect(String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).contains("console"))
    await server.close()
  }

  @Test func `replaces one that nobody listens on, and no other`() async throws {
    try await TestConsole.with([("one", quiet)]) { console in
      let host = ConsoleHost(version: "test", nodes: { [] }, setLogLevel: { _, _ in })
      await #expect { try await ConsoleServer.start(host, at: console.server.path) } throws: {
        ($0 as? AdminError)?.code == .addressInUse
      }
      // What a killed process leaves behind: a bound socket that is closed without being removed.
      func leave(_ path: String) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        _ = withUnsafePointer(to: name) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        close(descriptor)
      }
      let dead = ConsoleFolder(path: console.folder).socket(of: Int32.max)
      let stale = console.folder + "/stale"
      let foreign = console.folder + "/2147483646.sock"
      leave(dead)
      leave(stale)
      try Data("mine".utf8).write(to: URL(fileURLWithPath: foreign))
      #expect(ConsoleFolder(path: console.folder).hosts().count == 1)
      let second = try await ConsoleServer.start(host, at: stale)
      // It is there, and turns its own process away.
      #expect(try await TestClient(stale).greeting == .null)
      await second.close()
      await console.server.close()
      let third = try await ConsoleServer.start(host, in: ConsoleFolder(path: console.folder))
      #expect(!FileManager.default.fileExists(atPath: dead))
      #expect(try String(contentsOfFile: foreign, encoding: .utf8) == "mine")
      await third.close()
    }
  }

  @Test func `refuses more clients than it has room for`() async throws {
    try await TestConsole.with([("one", quiet)]) { console in
      var clients: [TestClient] = []
      for _ in 0..<ConsoleProtocol.mostClients { clients.append(try await console.client()) }
      #expect(clients.allSatisfy { $0.greeting["console"] == 1 })
      let late = try await console.client()
      #expect(late.greeting["error"]?["kind"] == "busy")
      #expect(try await late.next() == nil)
      clients = []
      try await eventually("room") { try await console.client().greeting["console"] == 1 }
    }
  }

  @Test func `outlives a hundred clients that leave in the middle of everything`() async throws {
    let script = """
      return { config = { script_time = "50ms" }, calls = { alive = function() return true end },
        codec = require "moonpeer.codec".lines(), process_message = function() end }
      """
    try await TestConsole.with([("one", script), ("two", script)]) { console in
      let id = try await console.ask(
        .object(["line": .string("node:connect('\(await console.nodes[1].node.address!)').id"), "node": "one", "form": "data"]))
      let conn = try #require(id["result"]?["values"]?.list.first?.int)
      let questions = [
        "node:sleep('1h')", "trace one \(conn)", "for i = 1, 1e4 do node.state[i] = i end", "while true do end", "tasks", "stats",
        "disconnect one 999", "reload one /nowhere", "probation one", "('x'):rep(1e6)",
      ]
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        for index in 0..<100 {
          tasks.addTask {
            let client = try await console.client()
            guard client.greeting["console"] == 1 else { return }
            _ = client.send(["line": .string(questions[index % questions.count]), "node": "one"])
            if index.isMultiple(of: 3) { client.write("{\"id\":") }
            if index.isMultiple(of: 2) { _ = try await console.nodes[0].call("alive") }
          }
        }
        try await tasks.waitForAll()
      }
      try await eventually("their end") { console.server.clientCount == 0 }
      // Nothing of theirs is left: no run, no trace.
      try await eventually("the end of their runs") { await console.nodes[0].waitingTasks().isEmpty }
      #expect(try await console.nodes[0].call("alive") == [true])
      #expect(try await console.ask("1 + 1", node: "one")["result"]?["values"] == ["2"])
      let again = try await console.client()
      let trace = again.send(["line": .string("trace one \(conn)")])
      try await eventually("the trace") {
        _ = try await console.nodes[0].evaluate("return node:broadcast('x')")
        return again.hasInput
      }
      _ = again.send(["cancel": .integer(trace)])
      #expect(try await again.answer(to: trace)["result"]?["kind"] == "trace")
    }
  }

  @Test func `answers garbage with an error, and ends on a line without an end`() async throws {
    try await TestConsole.with([("one", quiet)]) { console in
      let client = try await console.client()
      for line in ["garbage", "[]", "{}", "{\"id\":1}", "{\"id\":2,\"verb\":\"no\"}", "\u{0}\u{1}", "{\"id\":\"x\"}"] {
        client.write(line + "\n")
        let answer = try await client.next()
        #expect(answer?["ok"] == false, "\(line)")
        #expect(answer?["error"]?["kind"] == "usage", "\(line)")
      }
      for fields in [
        #""verb":"reload","arguments":"one""#, #""verb":"stats","arguments":[1]"#, #""line":"nodes","form":"xml""#,
        #""lua":"1","budget":-1"#, #""lua":"1","budget":"x""#, #""lua":"1","node":5"#, #""line":["nodes"]"#,
        #""line":"nodes","folder":1"#,
      ] {
        client.write("{\"id\":7,\(fields)}\n")
        let answer = try await client.next()
        #expect(answer?["id"] == 7 && answer?["error"]?["kind"] == "usage", "\(fields)")
      }
      #expect(await console.nodes[0].node.heuristics().failedReloads == 0)
      client.write("\n  \n")
      #expect(try await client.ask(["line": "nodes"])["ok"] == true)
      // It may be cut before all of it is written.
      client.write(String(repeating: "x", count: ConsoleProtocol.longestRequest + (1 << 20)))
      let last = try await client.next()
      #expect(last == nil || last?["ok"] == false)
      try await eventually("the end") { try await client.next() == nil }
      #expect(try await console.ask("nodes")["ok"] == true)
    }
  }

  @Test func `cuts a client that never reads, and no node waits for it`() async throws {
    let script = "return { calls = { alive = function() return true end } }"
    try await TestConsole.with([("one", script)]) { console in
      let client = try await console.client()
      // Each answer has some 60 KB; after some tens of them nobody waits any more.
      let code = "local t = {} for i = 1, 60 do t[i] = ('x'):rep(1000) end return t, t"
      var isOpen = true
      for _ in 0..<2000 where isOpen {
        isOpen = client.write(
          JSONValue.object(["id": .integer(.random(in: 1...1_000_000_000)), "line": .string(code)]).line + "\n")
        #expect(try await console.nodes[0].call("alive") == [true])
        if console.server.clientCount == 0 { isOpen = false }
      }
      try await eventually("the cut") { console.server.clientCount == 0 }
      #expect(try await console.ask("nodes")["ok"] == true)
    }
  }
}
