import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer console` {
  private static let script = """
    local codec = require "moonpeer.codec"
    return {
      codec = codec.lines(),
      init = function(node) node.state.users = { ada = 1 } end,
      process_message = function(_, conn, message) conn:send("you said " .. message) end,
    }
    """

  /// A host with its socket in the folder, and what its clients need to find it.
  private func host(_ name: String = "one", in folder: Folder) async throws -> (Program, environment: [String: String]) {
    try folder.write("\(name).lua", Self.script)
    let host = try await RunningHost("\(name).lua", in: folder)
    return (host.program, host.environment)
  }

  private func stop(_ program: Program) async throws {
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 0, "\(run)")
  }

  @Test func `asks with -e, for people and for programs, and its status says how it went`() async throws {
    let folder = try Folder()
    let (program, environment) = try await host(in: folder)
    let people = try await moonpeer("console", "-e", "node.state.users", "-e", "nodes", in: folder, environment: environment)
    #expect(people.status == 0, "\(people)")
    #expect(people.output.hasPrefix("{ ada = 1 }\nnode  listens on"), "\(people)")
    let data = try await moonpeer("console", "--json", "-e", "node.state.users", in: folder, environment: environment)
    #expect(data.output == #"{"ok":true,"result":{"kind":"values","node":"one","values":[{"ada":1}]}}"# + "\n")
    let raised = try await moonpeer("console", "one", "-e", "error('oh no')", "-e", "nodes", in: folder, environment: environment)
    #expect(raised.status == 1, "\(raised)")
    #expect(raised.errors.contains("oh no") && raised.errors.contains("stack traceback:"), "\(raised)")
    #expect(raised.output.isEmpty, "\(raised)")
    let late = try await moonpeer("console", "--budget", "50ms", "-e", "node:sleep('1h')", in: folder, environment: environment)
    #expect(late.status == 1 && late.errors.contains("longer than"), "\(late)")
    for arguments in [
      ["console", "two"], ["console", "-e", "trace"], ["console", "--budget", "x"], ["console", "-e", "use two"],
    ] {
      let run = try await Program(arguments, in: folder, environment: environment).finish()
      #expect(run.status == 64, "\(arguments) \(run)")
    }
    try await stop(program)
    #expect(!folder.has("moonpeer/\(program.process).sock"))
    let none = try await moonpeer("console", "-e", "nodes", in: folder, environment: environment)
    #expect(none.status == 69, "\(none)")
  }

  @Test func `reads lines from standard input without a prompt`() async throws {
    let folder = try Folder()
    let (program, environment) = try await host(in: folder)
    try folder.write("lines", "1 + 1\n\nerror('x')\nx = 5\nx\nquit\n7\n")
    let command = ["-c", "exec \"$0\" console < lines", Program.moonpeer]
    let run = try await Program(command, program: "sh", in: folder, environment: environment).finish()
    #expect(run.status == 1, "\(run)")
    #expect(run.output == "2\n5\n", "\(run)")
    try await stop(program)
  }

  @Test func `--console off opens none, and a path that cannot be had is an error`() async throws {
    let folder = try Folder(["one.lua": Self.script, "file": "mine"])
    let quiet = try Program(["run", "one.lua", "--console", "off"], in: folder, environment: ["XDG_RUNTIME_DIR": folder.path])
    _ = try await quiet.outputLine(" listens on ")
    #expect(!folder.has("moonpeer"))
    try await stop(quiet)
    let refused = try await moonpeer("run", "one.lua", "--console", "file", in: folder)
    #expect(refused.status == 73, "\(refused)")
    #expect(try folder.read("file") == "mine")
    // Where others could put a socket of theirs in its place.
    #expect(mkdir(folder.path + "/open", 0o700) == 0 && chmod(folder.path + "/open", 0o777) == 0)
    let open = try await moonpeer("run", "one.lua", "--console", "open/x.sock", in: folder)
    #expect(open.status == 73, "\(open)")
    #expect(open.errors.contains("--console: others can write in the folder open, and put another socket"), "\(open)")
    #expect(!folder.has("open/x.sock"))
  }

  @Test func `says nothing to a host of another user's`() async throws {
    // Nobody else can be played without root.
    guard geteuid() == 0 else { return }
    let folder = try Folder()
    let code = """
      import os, socket, sys
      s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777)
      os.setgroups([]); os.setgid(65534); os.setuid(65534)
      s.listen(5); print("ready", flush=True)
      c, _ = s.accept()
      c.sendall(b'{"console":1,"nodes":["victim"],"process":1,"version":"moonpeer"}\\n')
      print("got", c.recv(500), flush=True)
      """
    let fake = try Program(["-c", code, folder.path + "/fake.sock"], program: "python3", in: folder)
    _ = try await fake.outputLine("ready")
    let run = try await moonpeer("console", "--host", "fake.sock", "-e", "node.state.password = 'x'", in: folder)
    #expect(run.status == 69, "\(run)")
    #expect(run.errors.hasPrefix("moonpeer: fake.sock: user 65534 listens there, not you; nothing was sent. "), "\(run)")
    let said = try await fake.finish()
    #expect(!said.output.contains("password"), "\(said)")
  }

  @Test func `of several hosts a program has to choose; a node's name or --host does`() async throws {
    let folder = try Folder()
    let (first, environment) = try await host("one", in: folder)
    let (second, _) = try await host("two", in: folder)
    let unclear = try await moonpeer("console", "-e", "nodes", in: folder, environment: environment)
    #expect(unclear.status == 64, "\(unclear)")
    #expect(unclear.errors.contains("process \(first.process): one") && unclear.errors.contains("process \(second.process): two"))
    let named = try await moonpeer("console", "two", "-e", "node.name", in: folder, environment: environment)
    #expect(named.output == "\"two\"\n", "\(named)")
    let numbered = try await moonpeer(
      "console", "--host", "\(first.process)", "-e", "node.name", in: folder, environment: environment)
    #expect(numbered.output == "\"one\"\n", "\(numbered)")
    try await stop(first)
    try await stop(second)
  }

  @Test func `loglevel changes what a running node logs`() async throws {
    let folder = try Folder()
    let (program, environment) = try await host(in: folder)
    let line = "require('moonpeer.log').debug('a whisper')"
    #expect(try await moonpeer("console", "-e", line, in: folder, environment: environment).status == 0)
    let set = try await moonpeer("console", "-e", "loglevel one debug", "-e", line, in: folder, environment: environment)
    #expect(set.status == 0, "\(set)")
    _ = try await program.errorLine("a whisper")
    #expect(program.errors.components(separatedBy: "a whisper").count == 2)
    try await stop(program)
  }

  @Test func `moonpeer reload replaces a node's code, and refuses what is wrong`() async throws {
    let folder = try Folder()
    let (program, environment) = try await host(in: folder)
    try folder.write("one.lua", Self.script.replacingOccurrences(of: "return {", with: "return { version = 2,"))
    let fine = try await moonpeer("reload", "one", in: folder, environment: environment)
    #expect(fine.status == 0, "\(fine)")
    #expect(fine.output.hasPrefix("one: generation 2, version 2; "), "\(fine)")
    try folder.write("broken.lua", "return {")
    let broken = try await moonpeer("reload", "one", "broken.lua", in: folder, environment: environment)
    #expect(broken.status == 1, "\(broken)")
    #expect(broken.errors.contains("broken.lua:1:"), "\(broken)")
    let still = try await moonpeer("console", "-e", "node.state.users.ada", in: folder, environment: environment)
    #expect(still.output == "1\n", "\(still)")
    #expect(try await moonpeer("reload", "two", in: folder, environment: environment).status == 64)
    try await stop(program)
  }

  @Test func `on a terminal lines are edited, completed and remembered, and Ctrl-C cancels`() async throws {
    let folder = try Folder(["terminal.py": Self.terminal])
    let (program, environment) = try await host(in: folder)
    let run = try await Program(
      ["terminal.py", Program.moonpeer], program: "python3", in: folder,
      environment: environment.merging(["TERM": "xterm"]) { $1 }
    ).finish()
    #expect(run.status == 0, "\(run)")
    let history = try folder.read("state/moonpeer/console_history")
    #expect(history.contains("node.state.users.ada") || history.contains("node.state.users"), "\(history)")
    var status = stat()
    #expect(stat(folder.path + "/state/moonpeer/console_history", &status) == 0 && status.st_mode & 0o777 == 0o600)
    try await stop(program)
  }

  /// A person at a terminal: types, and reads until what has to come has come.
  private static let terminal = #"""
    import os, pty, select, sys, termios, time
    pid, end = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], [sys.argv[1], "console"])
    seen = b""
    def expect(what):
        global seen
        deadline = time.monotonic() + 100
        while what not in seen:
            if time.monotonic() > deadline or not select.select([end], [], [], 100)[0]:
                sys.exit("waited in vain for %r in %r" % (what, seen))
            try:
                data = os.read(end, 4096)
            except OSError:
                sys.exit("ended without %r in %r" % (what, seen))
            seen += data
        seen = seen[seen.index(what) + len(what):]
        # Otherwise what is typed at a prompt is shown twice, and Ctrl-C takes back a line that seems to have been sent.
        if what.endswith(b"> ") and termios.tcgetattr(end)[3] & termios.ECHO:
            sys.exit("the terminal still echoes at the prompt")
    def write(text):
        os.write(end, text)
    expect(b"one> ")
    write(b"40 + 3\x7f2\r")            # a correction
    expect(b"\r\n42\r\n")
    expect(b"one> ")
    write(b"x + 1\x01node.state.users.ada --\r")  # Ctrl-A: the beginning of the line
    expect(b"\r\n1\r\n")
    expect(b"one> ")
    write(b"node.state.us\t\r")          # Tab
    expect(b"{ ada = 1 }")
    expect(b"one> ")
    write(b"\x1b[A\r")                   # the line before
    expect(b"{ ada = 1 }")
    expect(b"one> ")
    write("'grün 🌕'\r".encode())
    expect("\r\n\"grün 🌕\"\r\n".encode())
    expect(b"one> ")
    write(b"for i = 1, 2 do\r")          # goes on
    expect(b"..> ")
    write(b"y = (y or 0) + i end return y\r")
    expect(b"\r\n3\r\n")
    expect(b"one> ")
    write(b"nonsense\x03")               # Ctrl-C: the line is gone
    expect(b"one> ")
    write(b"node:sleep('1h')\r")
    expect(b"1h')")
    expect(b"\r\n")                      # nothing is edited any more
    write(b"\x03")                       # Ctrl-C: what runs is cancelled
    expect(b"it was cancelled")
    expect(b"one> ")
    write(b"\x04")                       # Ctrl-D
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
    """#
}
