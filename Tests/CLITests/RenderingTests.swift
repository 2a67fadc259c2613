import Logging
import Testing

@testable import MoonpeerCLI

@Suite struct `Log lines` {
  private func line(_ message: String, _ metadata: Logger.Metadata = [:], level: Logger.Level = .info) -> LogLine {
    LogLine(
      time: Timestamp(seconds: 1_795_245_740, milliseconds: 7), level: level, node: "echo-1", message: message,
      metadata: metadata)
  }

  @Test func `have time, level, node, message and fields in order of their names`() {
    let text = TextLogRenderer().render(line("connected", ["side": "responder", "peer": "127.0.0.1:4000"]))
    #expect(text == "2026-11-21T07:22:20.007Z info    echo-1 connected peer=127.0.0.1:4000 side=responder\n")
  }

  @Test func `show a traceback on lines of its own`() {
    let text = TextLogRenderer().render(line("oh", ["traceback": "stack:\n\tx.lua:1: in f"], level: .error))
    #expect(text == "2026-11-21T07:22:20.007Z error   echo-1 oh\n    stack:\n      x.lua:1: in f\n")
  }

  @Test func `quote values that would not read back as one`() {
    let text = TextLogRenderer().render(line("m", ["a": "two words", "b": "", "c": "say \"hi\"", "d": "k=v"]))
    #expect(text.hasSuffix(#"m a="two words" b="" c="say \"hi\"" d="k=v""# + "\n"))
  }

  @Test func `cannot be forged or moved about by what a peer sent`() {
    let text = TextLogRenderer().render(line("a\nb\u{1B}[2Jc\u{202E}", ["x": "1\r2"]))
    #expect(text.hasSuffix(#"a\nb\u{1b}[2Jc\u{202e} x="1\r2""# + "\n"))
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test func `have colours only from a coloured palette`() {
    #expect(!TextLogRenderer().render(line("m")).contains("\u{1B}"))
    #expect(TextLogRenderer(palette: .coloured).render(line("m")).contains("\u{1B}[32minfo   \u{1B}[0m"))
  }

  @Test func `say which connection they are about, and which generation of the code from the second on`() {
    var line = line("m", ["peer": "127.0.0.1:4000"])
    (line.generation, line.connection) = (1, 7)
    #expect(TextLogRenderer().render(line).hasSuffix("echo-1 m conn=7 peer=127.0.0.1:4000\n"))
    line.generation = 2
    #expect(TextLogRenderer().render(line).hasSuffix("echo-1 m conn=7 generation=2 peer=127.0.0.1:4000\n"))
    #expect(
      JSONLogRenderer().render(line).hasSuffix(
        #""node":"echo-1","generation":2,"conn":7,"message":"m","metadata":{"peer":"127.0.0.1:4000"}}"# + "\n"))
  }

  @Test func `are one JSON object each, with the fields in an object of their own`() {
    let text = JSONLogRenderer().render(line("a\n\"b\"", ["level": "forged", "list": .array(["1", .dictionary(["k": "v"])])]))
    #expect(
      text
        == #"{"time":"2026-11-21T07:22:20.007Z","level":"info","node":"echo-1","message":"a\n\"b\"","#
        + #""metadata":{"level":"forged","list":["1",{"k":"v"}]}}"# + "\n")
  }
}

@Suite struct Colours {
  @Test(arguments: [(nil, "xterm", true), ("", "xterm", true), ("1", "xterm", false), (nil, "dumb", false), (nil, nil, true)])
  func `are allowed unless NO_COLOR or a dumb terminal says otherwise`(noColor: String?, term: String?, isAllowed: Bool) {
    #expect(Palette.allowsColours(noColor: noColor, term: term) == isAllowed)
  }
}

@Suite struct `The progress line` {
  @Test func `says which scenario runs and for how long`() {
    let text = ProgressLine.text(name: "a long one", position: 2, count: 9, elapsed: .seconds(61), width: 80)
    #expect(text == "...   a long one (2 of 9, 61 s)")
  }

  @Test(arguments: [0, 1, 10, 20, 30, 40, 79])
  func `cuts the name to fit, never the time`(width: Int) {
    let name = String(repeating: "long ", count: 30)
    let text = ProgressLine.text(name: name, position: 1, count: 2, elapsed: .seconds(3), width: width)
    #expect(text.hasSuffix(" (1 of 2, 3 s)"))
    if width >= 30 { #expect(text.count == width - 1) }
  }
}

@Suite struct `Durations for people` {
  @Test(arguments: [
    (Duration.zero, "0 ms"), (.milliseconds(7), "7 ms"), (.microseconds(999_499), "999 ms"), (.microseconds(999_500), "1.00 s"),
    (.milliseconds(1240), "1.24 s"), (.milliseconds(59_994), "59.99 s"), (.milliseconds(59_996), "1 min 0 s"),
    (.seconds(125), "2 min 5 s"),
  ])
  func `have the unit that suits them`(duration: Duration, text: String) {
    #expect(duration.forPeople == text)
  }

  @Test func `are seconds with three decimals for programs`() {
    #expect(Duration.milliseconds(1005).secondsText == "1.005")
    #expect(Duration.zero.secondsText == "0.000")
  }
}
