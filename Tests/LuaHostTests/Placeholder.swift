import LuaHost
import Testing

@Test func `A script's value comes back`() throws {
  let vm = try LuaVM(limits: LuaLimits(), libraries: .sandboxed, context: nil)
  let f = try vm.load("return 1 + 1, 'x', {a = 1}", chunkName: "@t.lua")
  #expect(try vm.callNow(f) == [2, "x", ["a": 1]])
}
