import ArgumentParser
import NodeCore
import NodeEngine
import Testing

@testable import MoonpeerCLI

@Suite struct `Configuration options` {
  @Test func `are exactly the keys that are declared`() {
    #expect(ConfigurationOptions.keys == NodeConfiguration.keys.map(\.name))
  }

  @Test(arguments: NodeConfiguration.keys.map(\.name))
  func `set the key they are named after`(name: String) throws {
    let key = try #require(NodeConfiguration.keys.first { $0.name == name })
    let arguments: [String]
    let expected: ConfigurationValue
    switch key.kind {
    case .boolean: (arguments, expected) = ([key.option], .boolean(true))
    case .addresses:
      (arguments, expected) = ([key.option, "127.0.0.1:1", key.option, "[::1]:2"], .list(["127.0.0.1:1", "[::1]:2"]))
    case .choice(let names): (arguments, expected) = ([key.option, names[0]], .string(names[0]))
    case .duration, .size, .count, .text: (arguments, expected) = ([key.option, "77"], .string("77"))
    }
    let settings = try ConfigurationOptions.parse(arguments).checkedSettings()
    #expect(settings.map(\.key) == [name])
    #expect(settings.map(\.value) == [expected])
    var configuration = NodeConfiguration()
    try configuration.set(name, to: expected)
    #expect(configuration != NodeConfiguration() || key.kind == .choice(["backpressure", "drop"]))
  }

  @Test func `can say that a node does not listen`() throws {
    let settings = try ConfigurationOptions.parse(["--listen", "none"]).checkedSettings()
    #expect(settings.map(\.value) == [.string("none")])
  }

  @Test(arguments: [
    (["--max-connections", "0"], "--max-connections: 0 makes no sense here; leave it out for the default (100)"),
    (["--idle-timeout", "soon"], "--idle-timeout: a duration such as 3, \"250ms\" or \"2m\" is expected, got \"soon\""),
    (["--inbound-policy", "lose"], "--inbound-policy: \"backpressure\" or \"drop\" is expected, got \"lose\""),
    (["--name", "a b"], "--name: must not contain spaces or control characters"),
  ])
  func `are refused under their own name`(arguments: [String], message: String) throws {
    let options = try ConfigurationOptions.parse(arguments)
    let failure = #expect(throws: CommandFailure.self) { try options.checkedSettings() }
    #expect(failure?.message == message)
    #expect(failure?.status == .usage)
  }

  @Test func `may move one of two limits that belong together`() throws {
    #expect(try ConfigurationOptions.parse(["--outbound-high-water", "1KiB"]).checkedSettings().count == 1)
    #expect(try ConfigurationOptions.parse(["--outbound-low-water", "1MiB"]).checkedSettings().count == 1)
  }
}

@Suite struct `Node names` {
  @Test func `are the wish where only one has it, else numbered`() {
    var names = NodeNames(["a", "b", "b", "a", "c"])
    #expect(["a", "b", "b", "a", "c"].map { names.next($0) } == ["a-1", "b-1", "b-2", "a-2", "c"])
  }

  @Test func `are valid whatever the wish`() {
    let wishes = ["", "two words", String(repeating: "é", count: 100), "tab\there"]
    for wish in wishes {
      var names = NodeNames([wish, wish])
      for name in [names.next(wish), names.next(wish)] {
        var configuration = NodeConfiguration()
        configuration.name = name
        #expect(throws: Never.self) { try configuration.validated() }
      }
    }
  }

  @Test(arguments: [("dir/echo.lua", "echo"), ("echo", "echo"), ("/x/.lua", ".lua"), ("a.b.lua", "a.b")])
  func `come from the file's name`(path: String, name: String) {
    #expect(NodeNames.base(ofPath: path) == name)
  }
}

@Suite struct Retries {
  @Test func `wait twice as long each time, up to a bound, and end`() {
    let schedule = RetrySchedule(attempts: 7)
    let delays = (1...7).map { schedule.delay(after: $0) }
    #expect(delays == [250, 500, 1000, 2000, 2000, 2000].map { .milliseconds($0) } + [nil])
    #expect(RetrySchedule(attempts: 1).delay(after: 1) == nil)
  }

  @Test func `are left out where waiting cannot help`() {
    #expect(RetrySchedule.isWorthwhile(after: .refused))
    #expect(RetrySchedule.isWorthwhile(after: .timeout))
    #expect(!RetrySchedule.isWorthwhile(after: .own))
    #expect(!RetrySchedule.isWorthwhile(after: .shutdown))
  }
}

@Suite struct `Scenario files` {
  @Test(arguments: [
    ("scenario.lua", true), ("chat_scenario.lua", true), ("scenario-2.lua", true), ("chat.lua", false), ("scenario.txt", false),
    (".scenario.lua", false), ("a/scenario.lua", true), ("scenarios/chat.lua", true), ("scenarios/support/chat.lua", false),
    ("scenario/chat.lua", false), ("scenarios", false),
  ])
  func `are recognised by their names`(name: String, isOne: Bool) {
    #expect(ScenarioFiles.isScenario(name) == isOne)
  }
}
