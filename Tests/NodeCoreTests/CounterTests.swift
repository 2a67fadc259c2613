import NodeCore
import Testing

@Suite struct CounterTests {
  @Test func `Every counter has a name, a help and a place of its own`() {
    let counters = Heuristics.counters
    #expect(Set(counters.map(\.name)).count == counters.count)
    for (index, counter) in counters.enumerated() {
      var heuristics = Heuristics()
      heuristics[keyPath: counter.path] += 1
      #expect(!counter.help.isEmpty)
      for (other, another) in counters.enumerated() { #expect(heuristics[another.name] == (other == index ? 1 : 0)) }
    }
  }

  @Test func `Every counter is declared`() {
    #expect(Mirror(reflecting: Heuristics()).children.count == Heuristics.counters.count)
  }

  @Test func `A name there is none of counts nothing`() {
    #expect(Heuristics()["nonsense"] == 0)
  }

  @Test func `Traffic adds up, its time does not`() {
    var a = TrafficStatistics()
    (a.messagesSent, a.bytesSent, a.messagesReceived, a.bytesReceived, a.createdAt) = (1, 2, 3, 4, 5)
    a += a
    #expect((a.messagesSent, a.bytesSent, a.messagesReceived, a.bytesReceived, a.createdAt) == (2, 4, 6, 8, 5))
  }

  @Test func `The words of the reasons are the documented ones`() {
    #expect(
      Set(DisconnectReason.Kind.allCases.map(\.rawValue)) == [
        "local", "eof", "reset", "idle", "decode", "read", "write", "write_timeout", "script", "budget", "session_ended",
        "shutdown",
      ])
    #expect("\(DisconnectReason(.eof))" == "eof")
    #expect("\(DisconnectReason(.script, message: "x"))" == "script: x")
  }
}
