import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer check` {
  @Test func `says what a script declares`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let run = try await moonpeer("check", "life.lua", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(
      run.output == """
        life.lua: ok
          hooks     init, on_connect, process_message, on_disconnect, on_shutdown
          codec     one for every connection
          args      mode  string, default "slow" — how it goes
                    rate  integer, default 10

        """)
    #expect(run.errors.isEmpty)
  }

  @Test func `speaks of no codec where the script's is a mistake`() async throws {
    let folder = try Folder(["odd.lua": "return { codec = { foo = 1 }, process_message = function() end }"])
    let run = try await moonpeer("check", "odd.lua", in: folder)
    #expect(run.status == 1 && run.errors.contains("codec"), "\(run)")
    #expect(run.output.contains("hooks") && !run.output.contains("codec"), "\(run)")
  }

  @Test func `shows name, version, config, calls and timers`() async throws {
    let folder = try Folder([
      "all.lua": """
      return {
        name = "all", version = 3,
        config = { max_connections = 5, idle_timeout = "90s", listen = "none" },
        timers = { tick = { every = "5s", run = function() end } },
        calls = { hi = function() end, ask = function() end },
      }
      """
    ])
    let run = try await moonpeer("check", "all.lua", in: folder)
    #expect(run.status == 0, "\(run)")
    for line in ["name      all", "version   3", "hooks     none", "calls     ask, hi", "timers    tick", "max_connections = 5"] {
      #expect(run.output.contains(line), "\(line) in \(run)")
    }
  }

  @Test(arguments: ["check", "run", "test"])
  func `says, as run and test do, that a pipe is no script, and waits for nobody`(command: String) async throws {
    let folder = try Folder()
    #expect(mkfifo(folder.path + "/pipe.lua", 0o600) == 0)
    let run = try await moonpeer(command, "pipe.lua", in: folder)
    #expect(run.status == 66, "\(run)")
    #expect(run.errors.contains("\"pipe.lua\": it is a pipe, a socket or a device"), "\(run)")
  }

  @Test func `reports every mistake with its place and a suggestion`() async throws {
    let folder = try Folder([
      "bad.lua": """
      return {
        proces_message = function() end,
        config = { max_conections = 5 },
        on_connect = 7,
      }
      """
    ])
    let run = try await moonpeer("check", "bad.lua", in: folder)
    #expect(run.status == 1, "\(run)")
    #expect(run.output.hasPrefix("bad.lua: 3 mistakes\n"), "\(run)")
    #expect(run.errors.contains("bad.lua:2: proces_message: unknown key; did you mean \"process_message\"?"), "\(run)")
    #expect(
      run.errors.contains(
        "bad.lua:3: config: there is no configuration key \"max_conections\"; did you mean \"max_connections\"?"), "\(run)")
    #expect(run.errors.contains("bad.lua:4: on_connect: must be a function, got"), "\(run)")
  }

  @Test(arguments: [
    ("return {", "x.lua:1: "), ("local x = nil\nx.y = 1\nreturn {}", "x.lua:2: "), ("return 5", "x.lua: "), ("", "x.lua: "),
    ("require 'nowhere'\nreturn {}", "x.lua:1: in the script's top level: module \"nowhere\" was not found"),
    ("while true do end", "script_time"),
    ("return ('x'):rep(1 << 28)", "memory"),
    ("require('moonpeer.network').scenario('a', 7)", "x.lua:1: "),
  ])
  func `ends with one clear message for a script that cannot be loaded`(text: String, message: String) async throws {
    let folder = try Folder(["x.lua": text])
    let run = try await moonpeer("check", "x.lua", in: folder)
    #expect(run.status == 1, "\(run)")
    #expect(run.errors.contains(message), "\(run)")
  }

  @Test func `says what scenarios a scenario file has`() async throws {
    let folder = try Folder(["scenario.lua": Scripts.scenarios([("one", ""), ("two", "")])])
    let run = try await moonpeer("check", "scenario.lua", in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.output == "scenario.lua: ok\n  scenarios one\n            two\n")
  }

  @Test func `says 66 for a file that is missing or a folder, and looks at the others`() async throws {
    let folder = try Folder(["sub/life.lua": Scripts.life])
    let run = try await moonpeer("check", "nope.lua", "sub/life.lua", "sub", in: folder)
    #expect(run.status == 66, "\(run)")
    #expect(run.output.hasPrefix("sub/life.lua: ok"))
    #expect(run.errors.contains("cannot read the script \"nope.lua\": No such file or directory"))
    #expect(run.errors.contains("cannot read the script \"sub\": it is a folder; name the .lua file in it"))
  }

  @Test func `loads a script that needs all libraries only when it is trusted`() async throws {
    let folder = try Folder(["trusting.lua": "local home = os.getenv('HOME')\nio.write('')\nreturn {}"])
    #expect(try await moonpeer("check", "trusting.lua", in: folder).status == 1)
    let run = try await moonpeer("check", "--trusted", "trusting.lua", in: folder)
    #expect(run.status == 0, "\(run)")
  }
}
