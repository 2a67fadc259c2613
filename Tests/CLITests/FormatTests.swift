import Foundation
import Glibc
import Testing

/// The formats other programs read, given to such programs. `make test` installs python3.
@Suite(.timeLimit(.minutes(5))) struct `Machine-readable results` {
  /// Names and messages that break careless writers.
  private static let hostile = Scripts.scenarios([
    ("<a href=\"x\">&amp; ]]> # SKIP \\ 'q'", "net:expect(true)"),
    ("not ok 7 # TODO\nok 8", "net:fail('<&> \\\"\\'\\n...\\n1..0 \\27[31m \\0 \\u{FFFF}')"),
    ("ünïcödé 🌙", "local x = nil; x.y = 1"),
  ])

  @Test func `are XML that Python's parser reads, with every name as it was`() async throws {
    let folder = try Folder([
      "scenario.lua": Self.hostile, "broken_scenario.lua": "<&",
      "read.py": """
      import sys, xml.etree.ElementTree as tree
      root = tree.parse(sys.argv[1]).getroot()
      assert root.tag == "testsuites", root.tag
      assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "2", "1"), root.attrib
      cases = [case for suite in root for case in suite]
      names = [case.get("name") for case in cases]
      assert "<a href=\\"x\\">&amp; ]]> # SKIP \\\\ 'q'" in names, names
      assert "not ok 7 # TODO\\nok 8" in names, names
      assert "ünïcödé 🌙" in names, names
      failed = [case for case in cases if case.find("failure") is not None]
      assert len(failed) == 2 and "<&> \\"'\\n..." in failed[0].find("failure").get("message"), failed
      assert all(float(case.get("time")) >= 0 for case in cases)
      print("fine")
      """,
    ])
    let run = try await moonpeer("test", ".", "--junit", "out.xml", in: folder)
    #expect(run.status == 1, "\(run)")
    let python = try await Program(["read.py", "out.xml"], program: "python3", in: folder).finish()
    let xml = try folder.read("out.xml")
    #expect(python.output == "fine\n", "\(python)\n\(xml)")
  }

  @Test func `are TAP with one result per scenario, whatever the names`() async throws {
    let folder = try Folder(["scenario.lua": Self.hostile])
    let run = try await moonpeer("test", "scenario.lua", "--tap", in: folder)
    #expect(run.status == 1, "\(run)")
    // At the margin stand only the version, the results and the plan.
    let margin = run.output.split(separator: "\n").filter { !$0.hasPrefix("  ") }
    #expect(
      margin == [
        "TAP version 14", ##"ok 1 - <a href="x">&amp; ]]> \# SKIP \\ 'q'"##, ##"not ok 2 - not ok 7 \# TODO\\nok 8"##,
        "not ok 3 - ünïcödé 🌙", "1..3",
      ], "\(run)")
    let begin = run.output.split(separator: "\n").count { $0 == "  ---" }
    let end = run.output.split(separator: "\n").count { $0 == "  ..." }
    #expect(begin == 3 && end == 3, "\(run)")
  }

  @Test func `are found unwritable before anything runs`() async throws {
    let folder = try Folder(["scenario.lua": Scripts.passing])
    for path in ["nowhere/out.xml", "."] {
      let run = try await moonpeer("test", "scenario.lua", "--junit", path, in: folder)
      #expect(run.status == 73, "\(run)")
      #expect(run.errors.hasPrefix("moonpeer: cannot write \"\(path)\": "), "\(run)")
      #expect(run.output.isEmpty, "\(run)")
    }
    let full = try await moonpeer("test", "scenario.lua", "--junit", "/dev/full", in: folder)
    #expect(full.status == 73, "\(full)")
  }
}

@Suite(.timeLimit(.minutes(5))) struct `On a terminal` {
  /// Runs `moonpeer` on a terminal of its own; what it showed.
  private func onTerminal(_ arguments: [String], in folder: Folder, environment: [String: String] = [:]) async throws -> Finished
  {
    let code = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    return try await Program(
      ["-c", code, Program.moonpeer] + arguments, program: "python3", in: folder, environment: environment
    ).finish()
  }

  @Test func `a long scenario shows that it is still running, and leaves only its result`() async throws {
    let folder = try Folder(["scenario.lua": Scripts.scenarios([("takes a while", "net:sleep(1.5)")])])
    let run = try await onTerminal(["test", "scenario.lua"], in: folder)
    #expect(run.status == 0, "\(run)")
    #expect(run.output.contains("...   takes a while (1 of 1, "), "\(run)")
    #expect(run.output.contains("\r\u{1B}[K\u{1B}[32mok  \u{1B}[0m  takes a while"), "\(run)")
  }

  @Test func `NO_COLOR means none`() async throws {
    let folder = try Folder(["scenario.lua": Scripts.passing])
    let run = try await onTerminal(["test", "scenario.lua"], in: folder, environment: ["NO_COLOR": "1"])
    #expect(run.status == 0, "\(run)")
    #expect(!run.output.contains("\u{1B}[3"), "\(run)")
  }
}
