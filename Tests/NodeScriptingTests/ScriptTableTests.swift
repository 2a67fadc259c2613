import LuaHost
import Testing

/// The table a script returns: every mistake is found, each with its key.
@Suite struct ScriptTableTests {
  private static let report = """
    function test.problems(code)
      local made = load("local codec = ... return " .. code)(lib.codec)
      local _, problems = lib.script.prepare(made)
      local lines = {}
      for i, problem in ipairs(problems) do lines[i] = problem.key .. ": " .. problem.message end
      return table.concat(lines, "\\n")
    end
    """

  @Test(arguments: [
    ("{ process_message = print }", ""),
    ("nil", "a script must return a table of hooks"),
    ("{ proces_message = print }", #"proces_message: unknown key; did you mean "process_message"?"#),
    ("{ on_connect = 'x' }", #"on_connect: must be a function, got string "x""#),
    ("{ session = print, process_message = print }", "session: excludes process_message"),
    ("{ codec = codec.lines }", "codec: is the maker of a codec: call it, codec.lines(…)"),
    ("{ timers = { a = {} } }", "timers.a.every: is missing"),
    ("{ timers = { a = { every = '5q', run = print } } }", "timers.a.every: not a duration: 5q"),
    ("{ timers = { a = { every = 0, run = print } } }", "timers.a.every: must be more than 0"),
    ("{ calls = { x = 1 } }", "calls.x: must be a function"),
    ("{ args = { port = { default = 'x', type = 'integer' } } }", "args.port: the default must be a whole number"),
  ])
  func `A mistake is reported with its key`(code: String, words: String) throws {
    let text = try PreludeHarness(Self.report).call("problems") { $0.string(code) }[0].text ?? ""
    #expect(words.isEmpty ? text.isEmpty : text.contains(words))
  }

  @Test func `All mistakes are reported at once`() throws {
    let text =
      try PreludeHarness(Self.report).call("problems") {
        $0.string("{ name = 5, version = 1.5, on_connect = 3, zzz = 1 }")
      }[0].text ?? ""
    #expect(text.split(separator: "\n").count == 4)
  }
}
