import Glibc
import LuaHost
import Testing

/// A VM's end: what it holds is freed block by block.
struct FreeingTests {
  private static var workedFor: Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// A VM with half a million strings, and what its end takes this thread.
  private func end(_ libraries: LuaLibraries) throws -> Duration {
    var machine: Machine? = try Machine(memory: 128 << 20, libraries: libraries)
    try machine?.run("kept = {} for i = 1, 500000 do kept[i] = 'string number ' .. i end")
    #expect(try #require(machine).vm.memoryUsed > 32 << 20)
    let began = Self.workedFor
    machine = nil
    return Self.workedFor - began
  }

  @Test func `The thread that lets go of a large one is not held up`() throws {
    // Trusted code may have finalizers, which are to run where everything else did: that one is the measure.
    let here = try end(.trusted)
    let elsewhere = try end(.sandboxed)
    #expect(elsewhere < here / 4, "\(elsewhere), \(here)")
  }

  @Test func `Large ones come and go on many threads`() async throws {
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<5 {
            let machine = try? Machine(memory: 32 << 20)
            #expect((try? machine?.run("kept = {} for i = 1, 40000 do kept[i] = { i } end return #kept")) == [40_000])
          }
        }
      }
    }
  }
}
