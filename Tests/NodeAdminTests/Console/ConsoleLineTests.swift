import NodeAdmin
import Testing

@Suite struct `A line that is typed` {
  @Test func `is a verb where its first word is one, and else Lua`() {
    #expect(ConsoleLine("nodes") == .verb(.nodes, []))
    #expect(ConsoleLine("  trace  echo   3 ") == .verb(.trace, ["echo", "3"]))
    #expect(ConsoleLine("node:counts()") == .lua("node:counts()"))
    #expect(ConsoleLine("stats = 5") == .lua("stats = 5"))
    #expect(ConsoleLine("tasks.x") == .lua("tasks.x"))
    #expect(ConsoleLine("= nodes") == .lua(" nodes"))
    #expect(ConsoleLine(" \t") == .nothing)
  }

  @Test func `Every verb says what it is for`() {
    for verb in ConsoleVerb.allCases { #expect(!verb.meaning.isEmpty) }
  }

  @Test func `JSON survives the way there and back`() throws {
    let value: JSONValue = [
      "a": 1, "b": [.number(0.5), .null, true], "c": "line\n\u{1b} ü 🌕", "d": .object([:]), "e": .integer(.max),
    ]
    let line = value.line
    #expect(!line.contains("\n"))
    #expect(JSONValue(line: line.utf8) == value)
    #expect(JSONValue(line: "{\"a\":".utf8) == nil)
    #expect(JSONValue.number(.infinity).line == "\"inf\"")
  }
}
