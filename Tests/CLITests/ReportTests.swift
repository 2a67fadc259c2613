import Testing

@testable import MoonpeerCLI
@testable import TestNetwork

@Suite struct Reports {
  private let passed = TestEntry(
    file: "a_scenario.lua", name: "all is well", location: "a_scenario.lua:3", outcome: .passed, duration: .milliseconds(12))

  private func failed(_ name: String, message: String = "no", log: [String] = []) -> TestEntry {
    let failure = ScenarioFailure(message: message, location: "b.lua:9", traceback: nil, log: log)
    return TestEntry(file: "b.lua", name: name, location: "b.lua:7", outcome: .failed(failure), duration: .seconds(1))
  }

  @Test func `for people have a line per scenario and a count`() {
    #expect(TextReport().entry(passed) == "ok    all is well (12 ms)\n")
    #expect(TextReport().summary([passed], duration: .milliseconds(20)) == "1 scenario: 1 passed (20 ms)\n")
    #expect(TextReport().summary([passed, failed("x")], duration: .seconds(2)) == "2 scenarios: 1 failed, 1 passed (2.00 s)\n")
  }

  @Test func `say how often properties were checked`() {
    var entry = passed
    entry.looks = 1
    #expect(TextReport().entry(entry) == "ok    all is well (12 ms, properties checked once)\n")
    entry.looks = 40
    #expect(TextReport().entry(entry) == "ok    all is well (12 ms, properties checked 40 times)\n")
    #expect(TAPReport().entry(entry, number: 1).contains("\n  property_checks: 40\n"))
  }

  @Test func `for people show what failed, where, and the nodes' log`() {
    #expect(
      TextReport().entry(failed("it works", message: "no\nreally", log: ["n-1 info: up", "n-1 error: oh\nstack"])) == """
        FAIL  it works (1.00 s)
              b.lua:9: no
              really
              the nodes' log:
                n-1 info: up
                n-1 error: oh
                stack

        """)
  }

  @Test func `in TAP escape what would be a directive or an escape`() {
    let text = TAPReport().entry(failed(#"a # TODO \ b"# + "\nok 3 - forged", message: "x: \"y\"\n..."), number: 2)
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines[0] == ##"not ok 2 - a \# TODO \\ b\\nok 3 - forged"##)
    #expect(lines[1] == "  ---")
    #expect(lines[2] == #"  message: "x: \"y\"\n...""#)
    #expect(lines.last == "  ...")
    // Nothing but the first line stands at the margin, where a parser looks for results.
    #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("  ") })
  }

  @Test func `in TAP end with the plan, or with why there is none`() {
    #expect(TAPReport().plan(3) == "1..3\n")
    #expect(TAPReport().bailOut("a\nb") == "Bail out! a\\nb\n")
  }

  @Test func `in JUnit count failures and errors per file`() {
    let unloadable = TestEntry(unloadable: "c.lua", ScenarioError(message: "bad"))
    let xml = JUnitReport().text([passed, failed("x"), unloadable], duration: .seconds(3))
    #expect(xml.contains("<testsuites name=\"moonpeer\" tests=\"3\" failures=\"1\" errors=\"1\" time=\"3.000\">"))
    #expect(xml.contains("<testsuite name=\"b.lua\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"1.000\">"))
    #expect(xml.contains("<error message=\"bad\" type=\"load\"/>"))
  }

  @Test func `in JUnit hold every text there is`() throws {
    let all =
      (0...0x2FF).compactMap(Unicode.Scalar.init).reduce(into: "") { $0.unicodeScalars.append($1) } + "\u{FFFE}\u{FFFF}]]>"
    let xml = JUnitReport().text([failed(all, message: all, log: [all])], duration: .zero)
    let forbidden = xml.unicodeScalars.filter {
      $0.value < 0x20 && $0 != "\n" && $0 != "\t" || $0.value == 0xFFFE || $0.value == 0xFFFF
    }
    #expect(forbidden.isEmpty)
    #expect(!xml.contains("]]>"))
  }
}
