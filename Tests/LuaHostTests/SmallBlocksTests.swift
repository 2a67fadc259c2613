import Foundation
import LuaHost
import Testing

/// Small blocks are kept in lists of the thread that frees them; see CLua/blocks.c.
struct SmallBlocksTests {
  /// Some 100 KB of blocks of all small sizes, looked at again once all are there.
  private static let code = """
    local kept = {}
    for i = 1, 700 do kept[i] = { ("x"):rep(i % 300) .. i, i, { i } } end
    for i = 1, 700 do
      local row = kept[i]
      assert(row[1] == ("x"):rep(i % 300) .. i and row[2] == i and row[3][1] == i)
    end
    return kept
    """

  @Test(.timeLimit(.minutes(2))) func `Blocks that are freed on another thread than they were made on serve later VMs`() throws {
    let before = LuaVM.smallBlocksReserved
    for _ in 0..<60 {
      let vms = Box<[(LuaVM, LuaRef)]>([])
      try onNewThread {
        vms.value = try (0..<10).map { _ in
          let vm = try LuaVM(limits: LuaLimits(), libraries: .sandboxed, context: nil)
          let chunk = try vm.load(Self.code, chunkName: "=test")
          return (vm, try vm.callNowRef(chunk))
        }
      }
      try onNewThread { vms.value = [] }
    }
    // Kept by threads that have ended, or by one that frees only, it would be over 50 MB.
    #expect(LuaVM.smallBlocksReserved - before < 25 << 20)
  }

  private func onNewThread(_ body: @escaping () throws -> Void) throws {
    let work = Box(body)
    let failure = Box<(any Error)?>(nil)
    let isOver = DispatchSemaphore(value: 0)
    Thread {
      do { try work.value() } catch { failure.value = error }
      isOver.signal()
    }.start()
    isOver.wait()
    if let error = failure.value { throw error }
  }
}

/// Used by one thread at a time.
private final class Box<Value>: @unchecked Sendable {
  var value: Value
  init(_ value: Value) { self.value = value }
}
