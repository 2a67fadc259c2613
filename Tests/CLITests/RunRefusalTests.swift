import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer run refuses` {
  private func folder() throws -> Folder {
    try Folder([
      "life.lua": Scripts.life, "bare.lua": "return {}", "broken.lua": "return {", "wrong.lua": "return { proces = 1 }",
      "scenario.lua": Scripts.passing,
      "raises.lua": "return { init = function() error('not today') end }",
      "fixed.lua": "return { config = { listen = '127.0.0.1:4999' } }", "sub/x.lua": "return {}",
      "unix.lua": "return { config = { listen = 'unix:./x.sock' } }",
    ])
  }

  @Test(arguments: [
    (["nope.lua"], 66, "cannot read the script \"nope.lua\": No such file or directory"),
    (["sub"], 66, "cannot read the script \"sub\": it is a folder; name the .lua file in it"),
    (["life.lua", "nope.lua"], 66, "cannot read the script \"nope.lua\""),
    (["scenario.lua"], 1, "scenario.lua:1: a scenario file has no node; run it with moonpeer test"),
    (["broken.lua"], 1, "broken.lua:1: "),
    (["wrong.lua"], 1, "wrong.lua:1: proces: unknown key"),
    (["raises.lua"], 1, "raises: raises.lua:1: "),
    (["life.lua", "--set", "rate"], 64, "--set rate: write name=value, as in --set rate=10"),
    (["life.lua", "--set", "=1"], 64, "--set =1: write name=value"),
    (["life.lua", "--set", "rat=1"], 64, "--set: no script here declares the argument \"rat\"; did you mean \"rate\"?"),
    (["life.lua", "--set", "zzzzzz=1"], 64, "--set: no script here declares the argument \"zzzzzz\"; there is mode, rate"),
    (["bare.lua", "--set", "rate=1"], 64, "--set: no script here declares the argument \"rate\"; there are none (key args)"),
    (["life.lua", "--set", "rate=fast"], 64, "life.lua: argument \"rate\" must be a whole number, got "),
    (["life.lua", "--listen", "here"], 64, "--listen: \"here\" is not an address: the port is missing"),
    (["life.lua", "--connect", "1.2.3:x"], 64, "--connect: \"1.2.3:x\" is not an address: "),
    (["life.lua", "--connect", "1.2.3.4:0"], 64, "--connect: 1.2.3.4:0: port 0 cannot be dialled"),
    (["life.lua", "--count", "0"], 64, "--count: a number from 1 to "),
    (["life.lua", "--connect-attempts", "0"], 64, "--connect-attempts: a number from 1 to 1000"),
    (["life.lua", "--shutdown-timeout", "0"], 64, "--shutdown-timeout: "),
    (["life.lua", "--count", "2", "--listen", "127.0.0.1:4998"], 64, "2 nodes cannot all listen on 127.0.0.1:4998; "),
    (["life.lua", "bare.lua", "--listen", "unix:/tmp/x.sock"], 64, "2 nodes cannot all listen on unix:/tmp/x.sock; "),
    (["unix.lua"], 64, "unix.lua:1: config: listen: unix:./x.sock: this script may not use that Unix socket; "),
    (["unix.lua", "--trusted"], 64, "unix.lua:1: config: listen: unix:./x.sock: this script may not use that Unix socket; "),
    (["life.lua", "--unix-sockets", ""], 64, "--unix-sockets: \"\": an empty path names nothing"),
    (["life.lua", "--unix-sockets", "a/../b"], 64, "--unix-sockets: \"a/../b\": a path with .. in it names nothing"),
    (["life.lua", "--unix-sockets", "unix:x"], 64, "--unix-sockets: \"unix:x\": a path is expected, without unix: before it"),
    (["fixed.lua", "--count", "3"], 64, "3 nodes cannot all listen on 127.0.0.1:4999; "),
    (["life.lua", "--metrics", ":9464"], 64, "--metrics: \":9464\": the host is missing; write 9464 for loopback only"),
    (["life.lua", "--metrics", "99999"], 64, "--metrics: \"99999\" is not a port"),
    (["life.lua", "--metrics", "203.0.113.1:4998"], 69, "--metrics: cannot serve metrics on 203.0.113.1:4998: "),
    (["life.lua", "--capture", "bare.lua"], 73, "--capture: \"bare.lua\" is there already; move it away, or name another file"),
    (["life.lua", "--capture", "nowhere/x"], 73, "--capture: cannot write \"nowhere/x\": No such file or directory"),
    (["life.lua", "--max-connections", "0"], 64, "--max-connections: 0 makes no sense here"),
    (
      ["life.lua", "--idle-timeout", "-1"], 64,
      "--idle-timeout: a duration such as 3, \"250ms\" or \"2m\" is expected, got \"-1\""
    ),
    (
      ["life.lua", "--max-connections", "99999999999999999999"], 64,
      "--max-connections: a whole number of at most 1099511627776 is expected, got \"99999999999999999999\""
    ),
    (["life.lua", "--script-memory", "9000GiB"], 64, "--script-memory: a size of at most 1024GiB is expected, got \"9000GiB\""),
    (
      ["life.lua", "--listen", "none", "--listen", "127.0.0.1:0"], 64,
      "--listen: \"none\" means not to listen, so it cannot stand beside addresses"
    ),
    (["life.lua", "--script-memory", "10"], 64, "script_memory of 10 bytes is too small"),
    (["life.lua", "--script-memory", "10KiB"], 64, "script_memory of 10240 bytes is too small"),
    (["life.lua", "--outbound-low-water", "1MiB"], 64, "outbound_low_water: must not be above outbound_high_water"),
    (["life.lua", "--listen", "203.0.113.1:4998"], 69, "life: cannot listen on 203.0.113.1:4998: "),
  ])
  func `what cannot work, with one clear message`(arguments: [String], status: Int, message: String) async throws {
    let run = try await Program(["run", "--log-level", "error"] + arguments, in: folder()).finish()
    #expect(run.status == Int32(status), "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: \(message)"), "\(run)")
    #expect(run.errors.split(separator: "\n").count { $0.hasPrefix("moonpeer: ") } == 1, "\(run)")
    #expect(run.output.isEmpty, "\(run)")
  }

  @Test func `a port in use, with 69`() async throws {
    let folder = try folder()
    let first = try Program(["run", "life.lua"], in: folder)
    let address = try await first.outputLine(" listens on ").split(separator: " ").last.map(String.init)!
    let run = try await Program(["run", "life.lua", "--log-level", "error", "--listen", address], in: folder).finish()
    #expect(run.status == 69, "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: life: cannot listen on \(address): "), "\(run)")
  }

  @Test func `no Unix socket that --unix-sockets names`() async throws {
    let folder = try folder()
    for path in [".", "x.sock", folder.path] {
      let program = try Program(["run", "unix.lua", "--console", "off", "--unix-sockets", path], in: folder)
      #expect(try await program.outputLine(" listens on ") == "unix listens on unix:./x.sock")
      program.signal(2)
      #expect(try await program.finish().status == 0)
    }
  }

  @Test func `to live without any of its peers, after a bounded number of tries`() async throws {
    let folder = try folder()
    // A port that was free a moment ago: nobody listens there.
    let other = try Program(["run", "bare.lua"], in: folder)
    let address = try await other.outputLine(" listens on ").split(separator: " ").last.map(String.init)!
    other.signal(2)
    _ = try await other.finish()
    let run = try await Program(["run", "life.lua", "--connect", address, "--connect-attempts", "2"], in: folder).finish()
    #expect(run.status == 69, "\(run)")
    #expect(run.errors.contains("warning life no connection to \(address) yet: "), "\(run)")
    #expect(run.errors.contains("tried=\"attempt 1 of 2\""), "\(run)")
    #expect(run.errors.contains("error   life gave up on \(address): "), "\(run)")
    #expect(run.errors.contains("info    life bye"), "\(run)")
    #expect(run.errors.hasSuffix("moonpeer: life: no connection to any of --connect \(address)\n"), "\(run)")
  }

  /// Stacks of a gigabyte each, of which so much fits: what limits of processes do, but for root too.
  @Test(arguments: [["run", "life.lua"], ["test", "scenario.lua"], ["--version"]])
  func `to begin where the system has too few threads for it, and says so`(arguments: [String]) async throws {
    let limited = ["-c", "ulimit -s 1048576 && ulimit -v 6000000 && exec \"$@\"", "sh", Program.moonpeer]
    let program = try Program(
      limited + arguments, program: "sh", in: folder(), environment: ["MOONPEER_LOOPS": "3"])
    let run = try await program.finish()
    #expect(run.status == 71 && run.output.isEmpty, "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: the system refuses threads: up to "), "\(run)")
    #expect(run.errors.hasSuffix("MOONPEER_LOOPS\n"), "\(run)")
    #expect(run.errors.contains(" are needed (event loops among them: 3), and "), "\(run)")
  }

  @Test(arguments: [
    ("MOONPEER_LOOPS", "x", "a whole number from 1 to 1024"), ("MOONPEER_LOOPS", "0", "a whole number from 1 to 1024"),
    ("MOONPEER_BACKEND", "kqueue", "epoll or nio"), ("MOONPEER_IO_URING", "no", "0 or 1"),
    ("MOONPEER_BUSY_POLL", "off", "0 or 1"),
  ])
  func `a variable of the environment that it knows with a value that it does not`(
    name: String, value: String, expected: String
  ) async throws {
    let run = try await Program(["run", "life.lua"], in: folder(), environment: [name: value]).finish()
    #expect(run.status == 64 && run.output.isEmpty, "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: \(name)=\(value) in the environment: \(expected) is expected"), "\(run)")
    let test = try await Program(["test", "scenario.lua"], in: folder(), environment: [name: value]).finish()
    #expect(test.status == 64 && test.errors == run.errors, "\(test)")
    let unset = try await Program(["test", "scenario.lua"], in: folder(), environment: [name: ""]).finish()
    #expect(unset.status == 0, "\(unset)")
  }
}
