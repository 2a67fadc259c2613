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
      open.errors.hasPrefix("error: (code):1: ") && open.errors.contains("'end' expected near <eof>"),
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

  @Test func `--json of every verb, and of whatever Lua gives, is one document a line`() async throws {
    let folder = try Folder([
      "one.lua": """
      local codec = require "moonpeer.codec"
      return {
        codec = codec.lines(),
        init = function(node) node:spawn(function() node:sleep("1h") end) end,
        process_message = function(_, conn, message) conn:send(message) end,
        calls = { join = function(node, at) return assert(node:connect(at)).id end },
      }
      """,
      "check.py": """
      import json, sys
      for line in sys.stdin:
          answer = json.loads(line.encode("utf-8", "strict"), parse_constant=lambda name: sys.exit("no JSON: " + name))
          assert isinstance(answer["ok"], bool) and ("result" if answer["ok"] else "error") in answer, line
          print(answer["result"]["kind"] if answer["ok"] else answer["error"]["kind"])
      """,
    ])
    let host = try await RunningHost("one.lua", ["--count", "2"], in: folder)
    let address = try await host.program.outputLine("one-2 listens on ").split(separator: " ").last ?? ""
    let joined = try await host.moonpeer("console", "one-1", "-e", "node:connect('\(address)').id")
    let conn = String(joined.output.dropLast())
    let lines = [
      "use one-1", "1", "nodes", "connections", "stats", "stats one-1", "stats one-1 \(conn)", "tasks",
      "loglevel one-1 info", "help", "probation", "reload", "disconnect one-1 \(conn)", "nonsense verb", "trace 99",
      "disconnect x",
      "1/0, -1/0, 0/0, 2^63, math.mininteger, -0.0", "'\\0\\255\\xed\\xa0\\x80 \u{1F315} \\u{2028}'",
      "local t = {} t.t = t t[1] = t return t, { [1.5] = 1, [true] = 2, [t] = 3 }", "print, node, coroutine.create(print)",
      "('x'):rep(1e6)", "local t = {} for i = 1, 1e5 do t[i] = i end return t", "error({})", "error()", "error('\\255')",
      "local t = {} for i = 1, 500 do t = { t } end return t", "",
    ]
    try folder.write("lines", lines.joined(separator: "\n"))
    let command = "\"$0\" console --json < lines | python3 check.py"
    let run = try await Program(
      ["-c", command, Program.moonpeer], program: "sh", in: folder,
      environment: host.environment.merging(["LC_ALL": "C.UTF-8"]) { $1 }
    ).finish()
    #expect(run.status == 0, "\(run)")
    let kinds = run.output.split(separator: "\n").map(String.init)
    let verbs = [
      "use", "values", "nodes", "connections", "stats", "stats", "stats", "tasks", "done", "help", "done", "reload", "done",
    ]
    #expect(Array(kinds.prefix(verbs.count)) == verbs, "\(run)")
    // What is no Lua ends it; the rest is asked anew.
    #expect(kinds.last == "syntax" && kinds.count == verbs.count + 1, "\(run)")
    try folder.write("lines", ("use one-1\n" + lines.dropFirst(verbs.count + 1).joined(separator: "\n")))
    let rest = try await Program(
      ["-c", command, Program.moonpeer], program: "sh", in: folder,
      environment: host.environment.merging(["LC_ALL": "C.UTF-8"]) { $1 }
    ).finish()
    #expect(rest.status == 0, "\(rest)")
    #expect(
      rest.output == """
        use
        unknown_connection
        unknown_node
        values
        values
        values
        values
        values
        values
        script
        script
        script
        values

        """, "\(rest)")
    try await host.stop()
  }
}
