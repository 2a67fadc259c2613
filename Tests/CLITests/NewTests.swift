import Testing

@Suite(.timeLimit(.minutes(5))) struct `moonpeer new` {
  @Test func `makes a script and a scenario that pass as they are`() async throws {
    let folder = try Folder()
    let made = try await moonpeer("new", "ping-2", in: folder)
    #expect(made.status == 0, "\(made)")
    #expect(made.output.hasPrefix("made ping-2/ping-2.lua and ping-2/scenario.lua"))
    let test = try await moonpeer("test", "ping-2", in: folder)
    #expect(test.status == 0, "\(test)")
    #expect(test.output.contains("1 scenario: 1 passed"))
    let check = try await moonpeer("check", "ping-2/ping-2.lua", in: folder)
    #expect(check.status == 0, "\(check)")
  }

  @Test func `overwrites nothing`() async throws {
    let folder = try Folder(["here": "a file", "there/ping.lua": "mine"])
    for name in ["here", "there", "there/"] {
      let run = try await moonpeer("new", name, in: folder)
      #expect(run.status == 73, "\(run)")
      #expect(run.errors.contains("exists already; choose another name"))
      #expect(run.output.isEmpty)
    }
    #expect(try folder.read("here") == "a file")
    #expect(!folder.has("there/scenario.lua"))
  }

  @Test func `says why a folder cannot be made`() async throws {
    let run = try await moonpeer("new", "nowhere/ping", in: Folder())
    #expect(run.status == 73, "\(run)")
    #expect(run.errors == "moonpeer: cannot write \"nowhere/ping\": No such file or directory\n")
  }

  @Test(arguments: ["", "/", "..", "a b", "x\"y", "1st", "é", "a/.hidden"])
  func `refuses what is no name for a script`(name: String) async throws {
    let run = try await moonpeer("new", "--", name, in: Folder())
    #expect(run.status == 64, "\(run)")
    #expect(run.errors.contains("is no name for a script"), "\(run)")
  }
}
