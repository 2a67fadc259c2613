import CHeap
import Foundation
import Synchronization

/// What the process has: descriptors and memory, now.
struct Resources: CustomStringConvertible {
  var descriptors: Int
  /// Bytes resident.
  var memory: Int
  /// Bytes that malloc has given out.
  var heap: Int

  static var now: Resources {
    let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first
    return Resources(
      // One of them is the look itself.
      descriptors: descriptors - 1, memory: (pages.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))),
      heap: Int(cheap_in_use()))
  }

  /// What the descriptors are, for the report of a failure.
  static var open: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    var kinds: [String: Int] = [:]
    for name in names {
      let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")) ?? "gone"
      kinds[target.hasPrefix("socket:") ? "sockets" : target, default: 0] += 1
    }
    return kinds.sorted { $0.key < $1.key }.map { "  open: \($0.value) × \($0.key)" }
  }

  var description: String {
    "\(descriptors) descriptors, \(memory >> 20) MiB resident, \(heap >> 10) KiB of heap"
  }
}

/// The most that a run may take; looked at by a thread of its own, all the time.
final class Ceilings: Sendable {
  private let verdict: Verdict
  let descriptors: Int
  let memory: Int
  private let highest = Mutex((descriptors: 0, memory: 0))

  init(over start: Resources, _ verdict: Verdict, descriptors: Int, memory: Int) {
    self.verdict = verdict
    self.descriptors = start.descriptors + descriptors
    self.memory = start.memory + memory
  }

  func start() {
    let thread = Thread { [self] in
      while true {
        look()
        Thread.sleep(forTimeInterval: 0.2)
      }
    }
    thread.name = "ceilings"
    thread.start()
  }

  private func look() {
    let now = Resources.now
    highest.withLock { $0 = (max($0.descriptors, now.descriptors), max($0.memory, now.memory)) }
    if now.descriptors > descriptors { verdict.fail("\(now), of at most \(descriptors) descriptors") }
    if now.memory > memory { verdict.fail("\(now), of at most \(memory >> 20) MiB") }
  }

  var most: (descriptors: Int, memory: Int) { highest.withLock { $0 } }
}
