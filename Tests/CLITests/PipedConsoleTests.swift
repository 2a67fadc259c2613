import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer console without a terminal` {
  private static let script = "return { init = function(node) node.state.x = 0 end }"

  /// What comes of these lines on standard input.
  private func pipe(_ lines: String, _ host: RunningHost, _ options: String = "") async throws -> Finished {
    try host.folder.write("lines", lines)
    return try await Program(
      ["-c", "exec \"$0\" console \(options) < lines", Program.moonpeer], program: "sh", in: host.folder,
      environment: host.environment
    ).finish()
  }

  @Test func `a line that is not finished goes on in the next`() async throws {
    let folder = try Folder(["one.lua": Self.script])
    let host = try await RunningHost("one.lua", in: folder)
    let lines = """
      for i = 1, 3 do

        node.state.x = node.state.x + i
      end
      node.state.x
      #{
      1,
      2 }
      1 +
      1
      math.max(
      4, 3)
      if false then
      node.state.hurt = 1
      end
      node.state.hurt
      """
    let run = try await pipe(lines, host)
    #expect(run.status == 0 && run.errors.isEmpty, "\(run)")
    #expect(run.output == "6\n2\n2\n4\nnil\n", "\(run)")
    let open = try await pipe("2 + 3\nfor i = 1, 2 do\n", host)
    #expect(open.status == 1 && open.output == "5\n", "\(open)")
    #expect(
      open.errors.hasPrefix("error: (code):") && open.errors.contains("'end' expected (to close 'for' at line 1) near <eof>"),
      "\(open)")
    try await host.stop()
  }

  @Test(arguments: ["", "--json"])
  func `what follows a mistake in the Lua is not run`(options: String) async throws {
    let folder = try Folder(["one.lua": Self.script])
    let host = try await RunningHost("one.lua", in: folder)
    let run = try await pipe("if false thn\nnode.state.hurt = 1\nend\n", host, options)
    #expect(run.status == 1, "\(run)")
    #expect((options.isEmpty ? run.errors : run.output).contains("'then' expected near 'thn'"), "\(run)")
    #expect(try await pipe("node.state.hurt", host).output == "nil\n")
    try await host.stop()
  }

  @Test(arguments: [(SIGINT, Int32(130), "interrupted"), (SIGTERM, 143, "ended by SIGTERM"), (SIGQUIT, 131, "")])
  func `a signal ends it while it waits for a line`(signal: Int32, status: Int32, message: String) async throws {
    let folder = try Folder(["one.lua": Self.script])
    let host = try await RunningHost("one.lua", in: folder)
    let console = try await waiting(host)
    console.signal(signal)
    let run = try await console.finish()
    #expect(run.status == status && run.errors == (message.isEmpty ? "" : "moonpeer: \(message)\n"), "\(run)")
    try await host.stop()
  }

  @Test func `the end of the host ends it too`() async throws {
    let folder = try Folder(["one.lua": Self.script])
    let host = try await RunningHost("one.lua", in: folder)
    let console = try await waiting(host)
    try await host.stop()
    let run = try await console.finish()
    #expect(run.status == 69 && run.errors.hasPrefix("moonpeer: the host has gone ("), "\(run)")
  }

  /// A console whose input stays open: it has answered, and waits.
  private func waiting(_ host: RunningHost) async throws -> Program {
    let command = "mkfifo pipe; exec 3<>pipe; echo '40 + 2' >&3; exec \"$0\" console <&3"
    let console = try Program(["-c", command, Program.moonpeer], program: "sh", in: host.folder, environment: host.environment)
    #expect(try await console.outputLine("42") == "42")
    return console
  }

  @Test func `paths are those of who asks`() async throws {
    let folder = try Folder(["one.lua": Self.script, "sub/next.lua": "return { version = 7 }"])
    let host = try await RunningHost("one.lua", in: folder)
    let run = try await Program(
      ["-c", "cd sub; exec \"$0\" console -e 'reload next.lua'", Program.moonpeer], program: "sh", in: folder,
      environment: host.environment
    ).finish()
    #expect(run.status == 0 && run.output.hasPrefix("one: generation 2, version 7; 0 connections moved"), "\(run)")
    // From now on that is its file, and the log says what is read.
    host.program.signal(SIGHUP)
    _ = try await host.program.errorLine("reloaded \(folder.path)/sub/next.lua: 1 of 1 nodes")
    try await host.stop()
  }

  @Test func `a missing script and an empty --host have their own exit status`() async throws {
    let folder = try Folder(["one.lua": Self.script])
    let host = try await RunningHost("one.lua", in: folder)
    let missing = try await host.moonpeer("reload", "one", "nowhere.lua")
    #expect(missing.status == 66 && missing.errors.hasPrefix("moonpeer: one: cannot read the script"), "\(missing)")
    let nobody = try await host.moonpeer("console", "--host", "", "-e", "nodes")
    #expect(nobody.status == 64 && nobody.errors.hasPrefix("moonpeer: --host: "), "\(nobody)")
    try await host.stop()
  }
}
