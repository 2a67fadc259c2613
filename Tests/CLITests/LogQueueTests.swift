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

    /// Everything up to the end of the line with that text.
    func read(upTo text: String) -> String {
      var all = ""
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while !(all.hasSuffix("\n") && all.contains(text)) {
        let count = Glibc.read(reading, &bytes, bytes.count)
        guard count > 0 else { break }
        all += String(decoding: bytes[..<count], as: UTF8.self)
      }
      return all
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
    let text = pipe.read(upTo: "lost")
    let kept = text.split(separator: "\n").count { $0.hasPrefix("x") }
    // What fits, and what the thread had put into the pipe by then.
    #expect((1024...1100).contains(kept))
    #expect(text.contains("lost \(3000 - kept)"))
    queue.add("after it\n")
    #expect(queue.flush(within: 60))
    #expect(pipe.read(upTo: "after it") == "after it\n")
  }

  @Test func `keeps the order, and lets a line pass that is longer than all that may wait`() {
    let pipe = Pipe()
    let queue = LogQueue(Output(descriptor: pipe.writing, name: "a pipe"))
    #expect(queue.flush(within: 60))
    queue.add(String(repeating: "y", count: LogQueue.bound + 1) + "!\n")
    #expect(pipe.read(upTo: "!").count >= LogQueue.bound)
    for number in 1...200 { queue.add("line \(number)\n") }
    queue.add("end\n")
    let numbers = pipe.read(upTo: "end").split(separator: "\n").compactMap { $0.hasPrefix("line ") ? Int($0.dropFirst(5)) : nil }
    #expect(numbers == Array(1...200))
  }
}
