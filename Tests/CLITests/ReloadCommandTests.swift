import Foundation
import Glibc
import Testing

/// New code for running nodes: by a signal, by a save.
@Suite(.timeLimit(.minutes(5))) struct `moonpeer run reloads` {
  private func script(_ voice: String, _ more: String = "") -> String {
    """
    local words = require "words"
    return {
      restore = function(state)
        print("now \(voice) " .. words)
        \(more)
        return state
      end,
      process_message = function() end,
    }
    """
  }

  private func start(_ arguments: [String], in folder: Folder) async throws -> Program {
    let program = try Program(["run", "main.lua"] + arguments, in: folder)
    _ = try await program.outputLine(" listens on ")
    return program
  }

  private func save(_ text: String, as name: String, in folder: Folder) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/" + name), options: .atomic)
  }

  private func end(_ program: Program) async throws -> Finished {
    program.signal(SIGINT)
    let run = try await program.finish()
    #expect(run.status == 0, "\(run)")
    #expect(run.output.split(separator: "\n").allSatisfy { $0.contains(" listens on ") }, "\(run)")
    return run
  }

  @Test func `each node of each script when SIGHUP comes`() async throws {
    let folder = try Folder(["main.lua": script("one"), "words.lua": "return 'a'"])
    let program = try await start(["--count", "2"], in: folder)
    try save(script("two"), as: "main.lua", in: folder)
    program.signal(SIGHUP)
    _ = try await program.errorLine("reloaded main.lua: 2 of 2 nodes")
    #expect(program.errors.components(separatedBy: "now two a").count == 3, "\(program.errors)")
    try save("return {", as: "main.lua", in: folder)
    program.signal(SIGHUP)
    _ = try await program.errorLine("main.lua is not reloaded: main-1: main.lua:1")
    _ = try await end(program)
  }

  @Test func `when SIGHUP came while the scripts were being loaded`() async throws {
    // The plan looks at the script too, and logs nothing: this is printed by the load after it.
    let busy = "print 'loading' local began = os.clock() while os.clock() - began < 0.3 do end "
    let folder = try Folder(["main.lua": busy + script("one"), "words.lua": "return 'a'"])
    let program = try Program(["run", "main.lua"], in: folder)
    _ = try await program.errorLine("loading")
    program.signal(SIGHUP)
    _ = try await program.errorLine("reloaded main.lua: 1 of 1 nodes")
    #expect(program.errors.contains("now one a"), "\(program.errors)")
    _ = try await end(program)
  }

  @Test func `whenever the script or a module is saved, with --watch`() async throws {
    let folder = try Folder(["main.lua": script("one"), "words.lua": "return 'a'"])
    let program = try await start(["--watch"], in: folder)
    // It watches once the nodes run; until a save is seen, the file is saved again.
    try await until(program, "now two a") { try save(script("two"), as: "main.lua", in: folder) }
    try save("return 'b'", as: "words.lua", in: folder)
    _ = try await program.errorLine("now two b")
    try save("return {", as: "main.lua", in: folder)
    _ = try await program.errorLine("reload failed, the code in force stays")
    try save(script("three"), as: "main.lua", in: folder)
    _ = try await program.errorLine("now three b")
    // Deleted and made anew; and a module that the code in force does not have is where the mistake is.
    try FileManager.default.removeItem(atPath: folder.path + "/main.lua")
    try save("return +", as: "other.lua", in: folder)
    try save("require 'other' " + script("four"), as: "main.lua", in: folder)
    _ = try await program.errorLine("other.lua:1: ")
    try save("return 1", as: "other.lua", in: folder)
    _ = try await program.errorLine("now four b")
    _ = try await end(program)
  }

  @Test func `where a link leads to another folder, or another folder takes the place of one, with --watch`() async throws {
    let folder = try Folder(["1/main.lua": script("one"), "1/words.lua": "return 'a'"])
    let files = FileManager.default
    func lead(to release: String) throws {
      try files.createSymbolicLink(atPath: folder.path + "/next", withDestinationPath: release)
      #expect(rename(folder.path + "/next", folder.path + "/current") == 0)
    }
    try lead(to: "1")
    let program = try Program(["run", "current/main.lua", "--watch"], in: folder)
    _ = try await program.outputLine(" listens on ")
    try await until(program, "now again a") { try save(script("again"), as: "current/main.lua", in: folder) }
    try folder.write("2/main.lua", script("two"))
    try folder.write("2/words.lua", "return 'b'")
    try lead(to: "2")
    _ = try await program.errorLine("now two b")
    try save(script("three"), as: "2/main.lua", in: folder)
    _ = try await program.errorLine("now three b")
    // The folder itself is moved away, and another one made.
    #expect(rename(folder.path + "/2", folder.path + "/old") == 0)
    try folder.write("2/words.lua", "return 'c'")
    try folder.write("2/main.lua", script("four"))
    _ = try await program.errorLine("now four c")
    try save(script("five"), as: "2/main.lua", in: folder)
    _ = try await program.errorLine("now five c")
    // Where it leads nowhere it is said, and the code that runs goes on.
    try lead(to: "nowhere")
    _ = try await program.errorLine("--watch: there is nothing at current any more")
    try folder.write("6/main.lua", script("six"))
    try folder.write("6/words.lua", "return 'd'")
    try lead(to: "6")
    _ = try await program.errorLine("now six d")
    _ = try await end(program)
  }

  @Test func `a half-written file changes nothing, and its end is taken`() async throws {
    let folder = try Folder(["main.lua": script("one"), "words.lua": "return 'a'"])
    let program = try await start(["--watch"], in: folder)
    try await until(program, "now two a") { try save(script("two"), as: "main.lua", in: folder) }
    let text = Array(script("three").utf8)
    let file = try #require(fopen(folder.path + "/main.lua", "w"))
    fwrite(Array(text[..<60]), 1, 60, file)
    fflush(file)
    _ = try await program.errorLine("reload failed, the code in force stays")
    fwrite(Array(text[60...]), 1, text.count - 60, file)
    fclose(file)
    _ = try await program.errorLine("now three a")
    _ = try await end(program)
  }

  @Test func `a file again that has been a pipe for a while, with --watch`() async throws {
    let folder = try Folder(["main.lua": script("one"), "words.lua": "return 'a'"])
    let program = try await start(["--watch"], in: folder)
    try await until(program, "now two a") { try save(script("two"), as: "main.lua", in: folder) }
    #expect(unlink(folder.path + "/main.lua") == 0)
    #expect(mkfifo(folder.path + "/main.lua", 0o600) == 0)
    _ = try await program.errorLine("cannot read the script \"main.lua\": it is a pipe")
    try save(script("three"), as: "main.lua", in: folder)
    _ = try await program.errorLine("now three a")
    _ = try await end(program)
  }

  @Test func `a few nodes first, and no others where those fail`() async throws {
    let folder = try Folder(["main.lua": script("one"), "words.lua": "return 'a'"])
    let program = try await start(["--count", "10", "--canary", "10%"], in: folder)
    let bad = "local node = require 'moonpeer.node' node:spawn(function() error 'bad version' end)"
    try save(script("two", bad), as: "main.lua", in: folder)
    program.signal(SIGHUP)
    let line = try await program.errorLine("main.lua is not reloaded: ")
    #expect(line.contains("main.lua is not reloaded: main-1 was rolled back: "), "\(line)")
    #expect(line.contains("bad version"), "\(line)")
    #expect(line.contains("not asked: main-2, main-3"), "\(line)")
    #expect(program.errors.components(separatedBy: "now two").count == 2, "\(program.errors)")
    try save(script("three"), as: "main.lua", in: folder)
    program.signal(SIGHUP)
    _ = try await program.errorLine("main-1 now three a")
    _ = try await end(program)
  }

  @Test(arguments: ["many", "10", "101%", "-1%"])
  func `a share that is none is refused`(share: String) async throws {
    let folder = try Folder(["main.lua": script("one"), "words.lua": "return 'a'"])
    let run = try await moonpeer("run", "main.lua", "--canary=\(share)", in: folder)
    #expect(run.status == 64, "\(run)")
    #expect(run.errors.contains("--canary: a share such as 10% is expected, got \(share)"), "\(run)")
    #expect(run.errors.contains("; write 10% for a share of the nodes") == (share == "10"), "\(run)")
  }

  /// Does it again and again, since it may be too early to be seen.
  private func until(_ program: Program, _ line: String, _ act: () throws -> Void) async throws {
    let end = ContinuousClock.now + Program.deadline
    while !program.errors.contains(line) {
      guard ContinuousClock.now < end else { throw ProgramProblem(description: "no line with \(line)\n\(program.errors)") }
      try act()
      let pause = ContinuousClock.now + .milliseconds(500)
      while !program.errors.contains(line), ContinuousClock.now < pause { try await Task.sleep(for: .milliseconds(5)) }
    }
  }
}
