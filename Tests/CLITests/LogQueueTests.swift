import Glibc
import Testing

@testable import MoonpeerCLI

@Suite struct `The log's queue` {
  /// A pipe, which has room for 64 KiB, and what a patient reader gets out of it.
  private final class Pipe {
    let reading: Int32
    let writing: Int32

    init() {
      var ends: [Int32] = [-1, -1]
      precondition(pipe(&ends) == 0)
      (reading, writing) = (ends[0], ends[1])
    }

    /// Lines, until there are enough of them, or none came for long.
    func lines(until isEnough: ([Substring]) -> Bool) -> [Substring] {
      var all = ""
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        if all.hasSuffix("\n") {
          let lines = all.split(separator: "\n")
          if isEnough(lines) { return lines }
        }
        var wanted = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        guard poll(&wanted, 1, 60_000) == 1 else { return all.split(separator: "\n") }
        let count = Glibc.read(reading, &bytes, bytes.count)
        guard count > 0 else { return all.split(separator: "\n") }
        all += String(decoding: bytes[..<count], as: UTF8.self)
      }
    }

    deinit {
      close(reading)
      close(writing)
    }
  }

  @Test func `holds nobody up where nobody reads, keeps what fits, and says how much was lost once somebody does`() {
    let pipe = Pipe()
    let queue = LogQueue(Output(descriptor: pipe.writing, name: "a pipe"))
    queue.sayLosses { "lost \($0)\n" }
    let line = String(repeating: "x", count: 1023) + "\n"
    for _ in 0..<3000 { queue.add(line) }
    #expect(!queue.flush(within: 0.01))
    func kept(_ lines: [Substring]) -> Int { lines.count { $0.hasPrefix("x") } }
    func lost(_ lines: [Substring]) -> Int { lines.reduce(0) { $0 + ($1.hasPrefix("lost ") ? Int($1.dropFirst(5))! : 0) } }
    let lines = pipe.lines { kept($0) + lost($0) >= 3000 }
    #expect(kept(lines) + lost(lines) == 3000)
    // What fits, and what the thread had put into the pipe by then.
    #expect((1024...1100).contains(kept(lines)))
    queue.add("after it\n")
    #expect(queue.flush(within: 60))
    #expect(pipe.lines { $0.count == 1 } == ["after it"])
  }

  @Test func `keeps the order, and lets a line pass that is longer than all that may wait`() {
    let pipe = Pipe()
    let queue = LogQueue(Output(descriptor: pipe.writing, name: "a pipe"))
    #expect(queue.flush(within: 60))
    queue.add(String(repeating: "y", count: LogQueue.bound + 1) + "!\n")
    #expect(pipe.lines { $0.count == 1 }.first?.count == LogQueue.bound + 2)
    for number in 1...200 { queue.add("line \(number)\n") }
    queue.add("end\n")
    let numbers = pipe.lines { $0.last == "end" }.dropLast().map { Int($0.dropFirst(5)) }
    #expect(numbers == Array(1...200))
  }
}
