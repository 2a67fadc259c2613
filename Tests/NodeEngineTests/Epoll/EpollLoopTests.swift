import Glibc
import Synchronization
import Testing

@testable import NodeEngine

/// The loop as a scheduler and as an executor.
@Suite struct EpollLoopTests {
  /// An actor that lives on a loop.
  private actor Resident {
    private let loop: EpollLoop
    private(set) var count = 0
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    init(_ loop: EpollLoop) { self.loop = loop }

    func add() { count += 1 }
    nonisolated func addFromTheLoop() { assumeIsolated { $0.count += 1 } }
  }

  private func withLoops<T>(_ count: Int = 1, _ body: (EpollLoops) async throws -> T) async throws -> T {
    let loops = EpollLoops(count: count)
    do {
      let result = try await body(loops)
      await loops.shutDown()
      return result
    } catch {
      await loops.shutDown()
      throw error
    }
  }

  @Test func `An actor on it may be entered from the loop, and from tasks anywhere`() async throws {
    try await withLoops { loops in
      let loop = loops.next()
      let resident = Resident(loop)
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<100 {
          group.addTask { await resident.add() }
          group.addTask {
            await withCheckedContinuation { done in
              loop.execute {
                resident.addFromTheLoop()
                done.resume()
              }
            }
          }
        }
      }
      #expect(await resident.count == 200)
    }
  }

  @Test func `A task that prefers its executor runs on it, and enters its actors without leaving`() async throws {
    try await withLoops(2) { loops in
      let loop = loops.first
      #expect(!loop.isCurrent)
      let resident = Resident(loop)
      await withTaskExecutorPreference(loop.taskExecutor) {
        #expect(loop.isCurrent)
        await resident.add()
        #expect(loop.isCurrent)
      }
      #expect(await resident.count == 1)
    }
  }

  @Test func `What is deferred comes later, in the order given, and before what is due at once`() async throws {
    try await withLoops { loops in
      let loop = loops.next()
      let noted = Noted()
      await withCheckedContinuation { done in
        loop.execute {
          loop.schedule(after: .zero) { done.resume() }
          loop.defer {
            noted.note(2)
            loop.defer { noted.note(4) }
          }
          loop.defer { noted.note(3) }
          noted.note(1)
        }
      }
      #expect(noted.numbers.withLock { $0 } == [1, 2, 3, 4])
    }
  }

  @Test func `Jobs that make jobs for ever leave time for timers and for other threads`() async throws {
    final class Spinner: @unchecked Sendable {
      // Used on the loop only.
      var isOver = false
      func spin(_ loop: EpollLoop) {
        if !isOver { loop.defer { self.spin(loop) } }
      }
    }
    try await withLoops { loops in
      let loop = loops.next()
      let spinner = Spinner()
      loop.execute { spinner.spin(loop) }
      await withCheckedContinuation { done in
        loop.execute { loop.schedule(after: .milliseconds(1)) { done.resume() } }
      }
      await withCheckedContinuation { done in
        loop.execute {
          spinner.isOver = true
          done.resume()
        }
      }
    }
  }

  @Test func `Sources that read much let jobs in between, so that a flood of many keeps nobody waiting for all of it`()
    async throws
  {
    /// Reads as much as a turn allows, as it were.
    final class Flooded: EpollSource {
      private let run: () -> Void
      init(_ loop: EpollLoop, _ run: @escaping () -> Void) {
        self.run = run
        super.init(loop, socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))
      }
      override func again() {
        loop.noteRead(EpollLoop.readSize)
        run()
      }
      override func loopEnded() { loop.close(self) }
    }
    try await withLoops { loops in
      let loop = loops.next()
      let noted = Noted()
      await withCheckedContinuation { done in
        loop.execute {
          var sources: [Flooded] = []
          for number in 1...3 {
            let source = Flooded(loop) {
              noted.note(number)
              if number == 1 { loop.execute { noted.note(0) } }
              if number == 3 { done.resume() }
            }
            if loop.add(source) { loop.goOn(source) }
            sources.append(source)
          }
          #expect(sources.allSatisfy { $0.slot >= 0 })
        }
      }
      #expect(noted.numbers.withLock { $0 } == [1, 0, 2, 3])
    }
  }

  private final class Noted: Sendable {
    let numbers = Mutex<[Int]>([])
    func note(_ number: Int) { numbers.withLock { $0.append(number) } }
  }

  @Test func `Tasks start in the order in which they were made`() async throws {
    try await withLoops { loops in
      let loop = loops.next()
      let noted = Noted()
      let tasks: [Task<Void, Never>] = await withCheckedContinuation { done in
        loop.execute {
          done.resume(returning: (0..<50).map { number in loop.startTask { noted.note(number) } })
        }
      }
      for task in tasks { await task.value }
      #expect(noted.numbers.withLock { $0 } == Array(0..<50))
    }
  }

  @Test func `Jobs from many threads at once all arrive, each thread's in its order`() async throws {
    try await withLoops { loops in
      let loop = loops.next()
      let seen = (0..<8).map { _ in Noted() }
      await withTaskGroup(of: Void.self) { group in
        for one in seen {
          group.addTask {
            for number in 0..<2000 { loop.execute { one.note(number) } }
          }
        }
      }
      try await eventually("all have arrived") { seen.allSatisfy { $0.numbers.withLock { $0.count } == 2000 } }
      #expect(seen.allSatisfy { $0.numbers.withLock { $0 } == Array(0..<2000) })
    }
  }

  @Test func `Its clock never goes back`() async throws {
    try await withLoops { loops in
      let loop = loops.next()
      let isGrowing = await withCheckedContinuation { done in
        loop.execute {
          var last = loop.now
          var isGrowing = true
          for _ in 0..<1000 {
            let now = loop.now
            isGrowing = isGrowing && now >= last
            last = now
          }
          done.resume(returning: isGrowing)
        }
      }
      #expect(isGrowing)
    }
  }
}
