import Foundation
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// scripts/chat.lua against nc.
@Suite struct NetcatChatTests {
  @Test(.timeLimit(.minutes(5))) func `Two people with nc hear each other, and see who comes and goes`() async throws {
    let netcat = try Tool.netcat()
    try await withScript("scripts/chat.lua") { node, port in
      let ann = try Netcat(netcat, port: port)
      let bob = try Netcat(netcat, port: port, options: ["-C"])
      defer {
        ann.end()
        bob.end()
      }
      await ann.sees("* your name?")
      ann.type("ann")
      await ann.sees("* welcome, ann; /who shows who is here, /quit leaves")
      // nc -C ends lines with \r\n, as telnet does.
      await bob.sees("* your name?")
      bob.type("ann")
      await bob.sees("* somebody is called ann already")
      bob.type("bob")
      await ann.sees("* bob has joined")
      bob.type("hello, ann")
      await ann.sees("bob: hello, ann")
      ann.type("hello, bob")
      ann.type("/who")
      await bob.sees("ann: hello, bob")
      await ann.sees("* here: ann, bob")
      bob.type("/quit")
      await bob.sees("* bye")
      await ann.sees("* bob has left")
      #expect(try await eventually { await node.node.counts.connected == 1 })
      // nc itself stays until its input ends too.
      bob.closeInput()
      #expect(try await eventually { !bob.isRunning })
      // The end of ann's input: nc -N closes its side, and the server hangs up.
      ann.closeInput()
      #expect(try await eventually { !ann.isRunning })
      #expect(try await eventually { await node.node.counts.connected == 0 })
      #expect(!bob.screen.contains("bob: hello, ann"), "bob heard himself")
    }
  }

  @Test(.timeLimit(.minutes(5))) func `Everything may be typed before anything is read`() async throws {
    let netcat = try Tool.netcat()
    try await withScript("scripts/chat.lua") { _, port in
      let said = try await netcat.expect(["127.0.0.1", port], input: Data("cat\n/who\n/nonsense\n/quit\n".utf8), seconds: 20)
      #expect(
        said == """
          * your name?
          * welcome, cat; /who shows who is here, /quit leaves
          * here: cat
          * there is no /nonsense; try /who or /quit
          * bye

          """)
    }
  }
}

/// nc as a person uses it: types a line, looks at the screen.
private final class Netcat {
  private let process: Process
  private let keyboard = Pipe()
  private let folder: TemporaryFolder

  init(_ tool: Tool, port: String, options: [String] = []) throws {
    // Writing to one that has ended is an error to be seen, not the end of the tests.
    signal(SIGPIPE, SIG_IGN)
    folder = try TemporaryFolder()
    process = try tool.makeProcess(options + ["-N", "127.0.0.1", port], seconds: 50, output: folder)
    process.standardInput = keyboard
    try process.run()
  }

  var screen: String { folder.text("out") }
  var isRunning: Bool { process.isRunning }

  func type(_ line: String) {
    do { try keyboard.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8)) } catch {
      Issue.record("nc took no more input: \(error)")
    }
  }

  func sees(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) async {
    let isThere = (try? await eventually { screen.split(separator: "\n").contains(Substring(line)) }) ?? false
    #expect(isThere, "\"\(line)\" is not on the screen:\n\(screen)", sourceLocation: sourceLocation)
  }

  func closeInput() { try? keyboard.fileHandleForWriting.close() }

  func end() {
    // Without input nc -N hangs up and ends.
    closeInput()
    folder.remove()
  }
}
