import LuaHost
import Testing

/// What a VM keeps beside what `script_memory` counts: the buffers for what natives answer.
struct BufferTests {
  private static let large = 8 << 20
  private static let natives: [(String, LuaNative)] = [
    ("bytes", { state in [UInt8](repeating: 120, count: large).withUnsafeBytes { LuaCall(state).returnBytes($0) } }),
    ("values", { state in LuaCall(state).returns { $0.string(String(repeating: "x", count: large)) } }),
    ("raises", { state in LuaCall(state).raise("failed", String(repeating: "x", count: large)) }),
  ]

  @Test(arguments: ["return #bytes()", "return #values()", "local ok, e = pcall(raises) return #e.message"])
  func `One large answer does not stay with the VM`(code: String) throws {
    let machine = try Machine(memory: 64 << 20, natives: Machine.natives + Self.natives)
    #expect(try machine.run("return echo('x')") == ["x"])
    #expect(machine.vm.buffered > 0)
    #expect(try machine.run(code) == [.integer(Int64(Self.large))])
    #expect(machine.vm.buffered < 256 << 10)
  }

  @Test(arguments: ["bytes()", "values()", "raises()", "pcall(bytes)", "pcall(values)"])
  func `Nor does one that there was no memory for`(code: String) throws {
    let machine = try Machine(memory: 4 << 20, natives: Machine.natives + Self.natives)
    #expect(machine.failure(code)?.kind == .memory)
    #expect(machine.vm.buffered < 256 << 10)
    let (thread, status) = try machine.start(code)
    #expect(status == .failed)
    #expect(machine.takeFailure(thread).kind == .memory)
    #expect(machine.vm.buffered < 256 << 10)
    #expect(try machine.run("return echo('x')") == ["x"])
  }
}
