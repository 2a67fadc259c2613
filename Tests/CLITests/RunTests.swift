import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer run` {
  /// Starts a node and gives the address it prints.
  private func start(_ arguments: [String], in folder: Folder) async throws -> (Program, address: String) {
    let program = try Program(["run"] + arguments, in: folder)
    let line = try await program.outputLine(" listens on ")
    return (program, String(line.split(separator: " ").last!))
  }

  @Test func `two processes talk to each other, and Ctrl-C ends both in order`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let (server, address) = try await start(["life.lua", "--name", "server"], in: folder)
    let client = try Program(["run", "life.lua", "--name", "client", "--connect", address, "--listen", "none"], in: folder)
    _ = try await server.errorLine("text=\"hello from client\"")
    _ = try await client.errorLine("text=\"you said hello from client\"")
    client.signal(SIGINT)
    let clientRun = try await client.finish()
    #expect(clientRun.status == 0, "\(clientRun)")
    #expect(clientRun.output == "client does not listen\n")
    #expect(clientRun.errors.contains("info    client connected to \(address)"), "\(clientRun)")
    _ = try await server.errorLine("gone")
    server.signal(SIGTERM)
    let serverRun = try await server.finish()
    #expect(serverRun.status == 0, "\(serverRun)")
    #expect(serverRun.output == "server listens on \(address)\n")
    // on_shutdown before on_disconnect, and the log on standard error only.
    let bye = try #require(clientRun.errors.range(of: "client bye"), "\(clientRun)")
    let gone = try #require(clientRun.errors.range(of: "client gone"), "\(clientRun)")
    #expect(bye.upperBound < gone.lowerBound)
    #expect(clientRun.errors.contains("why=shutdown"), "\(clientRun)")
  }

  @Test(arguments: ["1", "0"])
  func `MOONPEER_IO_URING=0 does without io_uring, and a node works the same`(value: String) async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let environment = ["MOONPEER_IO_URING": value, "MOONPEER_LOOPS": "2"]
    let server = try Program(["run", "life.lua", "--name", "server"], in: folder, environment: environment)
    let address = try await server.outputLine(" listens on ").split(separator: " ").last.map(String.init)!
    let descriptors = "/proc/\(server.process)/fd"
    let rings = try FileManager.default.contentsOfDirectory(atPath: descriptors).count {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\($0)")) == "anon_inode:[io_uring]"
    }
    // One for each loop, or none where the system refuses.
    #expect(value == "0" ? rings == 0 : [0, 2].contains(rings), "\(rings)")
    let client = try Program(["run", "life.lua", "--connect", address, "--listen", "none"], in: folder, environment: environment)
    _ = try await client.errorLine("text=\"you said hello from life\"")
    for program in [client, server] {
      program.signal(SIGINT)
      #expect(try await program.finish().status == 0)
    }
  }

  @Test func `a node whose init waits is spoken of, and the program can be ended meanwhile`() async throws {
    let folder = try Folder([
      "waits.lua": "return { init = function(node) node:sleep('1h') end }", "life.lua": Scripts.life,
    ])
    let program = try Program(["run", "waits.lua", "life.lua"], in: folder)
    let line = try await program.errorLine("has not started yet")
    #expect(line.contains("waits") && line.contains("its init has not ended; the nodes behind it wait"), "\(line)")
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 0 && !run.output.contains("listens on"), "\(run)")
  }

  @Test func `the limit of open files is raised as far as allowed, and where that is too little it is said`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    func errors(_ most: Int) async throws -> String {
      let limited = ["-c", "ulimit -Sn 100 && ulimit -Hn 300 && exec \"$@\"", "sh", Program.moonpeer]
      let program = try Program(
        limited + ["run", "life.lua", "--max-connections", "\(most)"], program: "sh", in: folder,
        environment: ["MOONPEER_LOOPS": "2"])
      _ = try await program.outputLine(" listens on ")
      program.signal(SIGINT)
      let run = try await program.finish()
      #expect(run.status == 0, "\(run)")
      return run.errors
    }
    let text = try await errors(1000)
    #expect(text.contains("up to 1071 open files may be needed, and the system allows this process 300;"), "\(text)")
    #expect(text.contains("ulimit -n 1071"), "\(text)")
    #expect(try await !errors(200).contains("open files"))
  }

  @Test func `without descriptors left a node waits, says so now and then, and goes on`() async throws {
    let folder = try Folder([
      "full.lua": """
      local log = require "moonpeer.log"
      return {
        -- Beyond its queue the kernel may forget a connection that the client takes for open.
        config = { max_connections = 1000, max_connections_per_ip = 1000, listener_backlog = 1000 },
        init = function(node)
          local ticks = 0
          node:every("50ms", function()
            local errors = node:heuristics().accept_errors
            if errors > 0 then ticks = ticks + 1 end
            if ticks == 20 then log.info("a second later", { errors = errors }) end
          end)
        end,
        process_message = function(_, conn, message) conn:send(message) end,
      }
      """
    ])
    let program = try Program(
      ["-c", "ulimit -n 300; exec \"$@\"", "sh", Program.moonpeer, "run", "full.lua"], program: "sh", in: folder)
    let port = UInt16(try await program.outputLine(" listens on ").split(separator: ":").last!)!
    // None waits for its connection: those beyond the kernel's queue would wait for minutes.
    let crowd = (0..<320).map { _ in connected(to: port, flag: Int32(SOCK_NONBLOCK.rawValue)) }
    let line = try await program.errorLine("a second later")
    #expect(Int(line.split(separator: "=").last!)! < 40, "\(line)")
    let untilThen = program.errors.split(separator: "\n").prefix { !$0.contains("a second later") }
    #expect(untilThen.count { $0.contains("no file descriptors are left") } <= 3)
    crowd.forEach { close($0) }
    let late = connected(to: port)
    defer { close(late) }
    send(late, "x", 1, 0)
    var byte: UInt8 = 0
    #expect(recv(late, &byte, 1, 0) == 1)
    program.signal(SIGTERM)
    #expect(try await program.finish().status == 0)
  }

  /// A socket that waits 30 s for an answer at most, or with `SOCK_NONBLOCK` for nothing.
  private func connected(to port: UInt16, flag: Int32 = 0) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | flag, 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    _ = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    var patience = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    return descriptor
  }

  @Test func `a second Ctrl-C leaves at once with 130`() async throws {
    let folder = try Folder(["slow.lua": Scripts.slowToLeave])
    let (program, _) = try await start(["slow.lua", "--shutdown-timeout", "10m"], in: folder)
    program.signal(SIGINT)
    _ = try await program.errorLine("leaving")
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 130, "\(run)")
    #expect(run.errors.contains("notice  shutting down; Ctrl-C once more leaves at once"), "\(run)")
  }

  @Test func `a shutdown has a bound`() async throws {
    let folder = try Folder(["slow.lua": Scripts.slowToLeave])
    let (program, _) = try await start(["slow.lua", "--shutdown-timeout", "100ms"], in: folder)
    program.signal(SIGTERM)
    let run = try await program.finish()
    #expect(run.status == 1, "\(run)")
    #expect(run.errors.contains("moonpeer: the shutdown took longer than 0.1 seconds (--shutdown-timeout)"), "\(run)")
  }

  @Test func `Ctrl-C ends a node that is still starting`() async throws {
    let folder = try Folder([
      "slow.lua": "local log = require 'moonpeer.log'\nreturn { init = function(node) log.info('hm'); node:sleep('10m') end }"
    ])
    let program = try Program(["run", "slow.lua", "--shutdown-timeout", "10m"], in: folder)
    _ = try await program.errorLine("hm")
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 0, "\(run)")
  }

  @Test func `ends by itself when every node has shut itself down`() async throws {
    let folder = try Folder([
      "brief.lua": "return { init = function(node) node:after('20ms', function() node:shut_down() end) end }"
    ])
    let run = try await moonpeer("run", "brief.lua", "--count", "3", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.output.split(separator: "\n").map { $0.split(separator: " ")[0] } == ["brief-1", "brief-2", "brief-3"])
  }

  @Test func `scripts of one process call each other by name`() async throws {
    let folder = try Folder([
      "asker.lua": """
      local log = require "moonpeer.log"
      return { name = "asker", init = function(node)
        node:after("1ms", function() log.info("answer", { is = node:call("answerer", "double", 21) }) end)
      end }
      """,
      "answerer.lua": "return { calls = { double = function(_, n) return 2 * n end } }",
    ])
    let program = try Program(["run", "answerer.lua", "asker.lua"], in: folder)
    _ = try await program.errorLine("asker answer is=42")
    program.signal(SIGINT)
    #expect(try await program.finish().status == 0)
  }

  @Test func `--set and configuration options reach the script`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let (program, _) = try await start(
      ["life.lua", "--set", "rate=3", "--set", "mode=a=b", "--max-connections", "7"], in: folder)
    _ = try await program.errorLine("up limit=7 rate=3")
    program.signal(SIGINT)
    #expect(try await program.finish().status == 0)
  }

  @Test func `logs JSON, one object per line`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let (program, _) = try await start(["life.lua", "--log-format", "json", "--log-level", "debug"], in: folder)
    program.signal(SIGTERM)
    let run = try await program.finish()
    #expect(run.status == 0, "\(run)")
    let lines = run.errors.split(separator: "\n")
    #expect(lines.count >= 4, "\(run)")
    for line in lines {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(object["time"] is String && object["level"] is String && object["message"] is String, "\(line)")
    }
  }

  @Test func `an error in a hook is logged with its place and traceback, and the node goes on`() async throws {
    let folder = try Folder([
      "oops.lua": """
      local function deep() error("oh no") end
      return { timers = { tick = { every = "10ms", run = function() deep() end } } }
      """
    ])
    let (program, _) = try await start(["oops.lua"], in: folder)
    let line = try await program.errorLine("oh no")
    #expect(line.contains("error   oops "), "\(line)")
    #expect(line.contains("oops.lua:1: "), "\(line)")
    _ = try await program.errorLine("    stack traceback:")
    program.signal(SIGINT)
    #expect(try await program.finish().status == 0)
  }

  @Test(arguments: [true, false]) func `--trusted opens all of Lua's libraries, and says so at the start`(isTrusted: Bool)
    async throws
  {
    let folder = try Folder([
      "open.lua":
        "return { init = function() require('moonpeer.log').info('opened', { io = io ~= nil, os = os.getenv ~= nil }) end }"
    ])
    let (program, _) = try await start(["open.lua"] + (isTrusted ? ["--trusted"] : []), in: folder)
    _ = try await program.errorLine("opened io=\(isTrusted) os=\(isTrusted)")
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 0, "\(run)")
    let lines = run.errors.split(separator: "\n").filter { $0.contains("trusted") }
    #expect(lines.count == (isTrusted ? 1 : 0), "\(run)")
    if isTrusted { #expect(lines[0].contains("warning open trusted: the script has all of Lua's libraries"), "\(run)") }
  }

  @Test(arguments: [(Program.Sink.closedPipe, "Broken pipe"), (.nothing, "Bad file descriptor")])
  func `goes on without a reader of its standard output`(sink: Program.Sink, reason: String) async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let program = try Program(["run", "life.lua"], in: folder, sink: sink)
    _ = try await program.errorLine("cannot write to standard output: \(reason); life listens on 127.0.0.1:")
    program.signal(SIGINT)
    #expect(try await program.finish().status == 0)
  }
}
