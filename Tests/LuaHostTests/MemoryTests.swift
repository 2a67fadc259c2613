import LuaHost
import Testing

/// The memory cap: what goes over it ends, cannot be caught, and harms nothing else.
struct MemoryTests {
  private static let bombs = [
    "local s = ('x'):rep(1 << 40)",
    "local s = ('x'):rep(1 << 24)",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local t = {} for i = 1, 1e9 do t[i] = {} end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100) .. i end",
    "local f = {} for i = 1, 1e9 do f[i] = function() return i end end",
    "local c = {} for i = 1, 1e9 do c[i] = coroutine.create(print) end",
    "local t = {} while true do t = { t } end",
    "local t = table.pack(('x'):rep(1000000):byte(1, -1))",
    "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
    "while true do pcall(string.rep, 'x', 1 << 24) end",
    "while true do xpcall(string.rep, function() while true do end end, 'x', 1 << 24) end",
    "while true do coroutine.resume(coroutine.create(function() local s = 'x' while true do s = s .. s end end)) end",
    "local x <close> = setmetatable({}, { __close = function() while true do end end }) local t = {} while true do t = { t } end",
    "keep = {} while true do keep[#keep + 1] = ('x'):rep(1000) .. #keep end",
    "load(function() return ('x'):rep(100000) end)",
    "string.format(('%s'):rep(50), ('x'):rep(1 << 20):rep(9))",
    "table.concat({ ('x'):rep(1 << 21), ('x'):rep(1 << 21), ('x'):rep(1 << 21), ('x'):rep(1 << 21) }, ('x'):rep(1 << 20))",
  ]

  @Test(arguments: bombs) func `A memory bomb ends, as a call and as a run`(code: String) throws {
    let machine = try Machine(memory: 8 << 20)
    let inCall = machine.failure(code)
    let (thread, status) = try machine.start(code)
    #expect(status == .failed)
    for error in [try #require(inCall), machine.takeFailure(thread)] {
      // `string.rep` and `table.unpack` refuse what is beyond any memory by themselves.
      if error.kind == .runtime {
        #expect(error.message.contains("too large") || error.message.contains("too long") || error.message.contains("too many"))
      } else {
        #expect(error.kind == .memory)
        #expect(error.message == "test.lua:1: needs more than script_memory")
        #expect(error.location == "test.lua:1")
        #expect(error.traceback?.contains("test.lua:1: in") == true)
      }
    }
    // A thread for a run is the host's and not refused.
    #expect(machine.vm.memoryPeak <= (8 << 20) + 4_096)
  }

  @Test func `The line where memory ran out is told, whatever the last bytes were for`() throws {
    for taken in stride(from: 0, to: 12_000, by: 60) {
      let machine = try Machine(memory: 1 << 20)
      let (thread, status) = try machine.start(
        "keep = ('y'):rep(\(taken)) local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end")
      #expect(status == .failed)
      #expect(machine.takeFailure(thread).location == "test.lua:1", "with \(taken) bytes taken")
    }
  }

  @Test func `A run that is over its time and then runs out of memory has a place`() throws {
    let ended: LuaNative = { state in
      let call = LuaCall(state)
      Machine.of(call).vm.endRun()
      return call.returns { $0.string(String(repeating: "x", count: 4 << 20)) }
    }
    let machine = try Machine(memory: 1 << 20, natives: Machine.natives + [("ended", ended)])
    let inCall = machine.failure("return ended()")
    let (thread, _) = try machine.start("return ended()")
    for error in [try #require(inCall), machine.takeFailure(thread)] {
      #expect(error.location == "test.lua:1", "\(error)")
      #expect(error.traceback?.contains("test.lua:1: in") == true, "\(error)")
    }
  }

  @Test func `The VM lives on after every bomb, and the memory comes back`() throws {
    let machine = try Machine(memory: 8 << 20)
    machine.vm.collect()
    let before = machine.vm.memoryUsed
    let thread = try #require(machine.vm.makeThread())
    for code in Self.bombs {
      #expect(try machine.start(code, in: thread).status == .failed)
      _ = machine.takeFailure(thread)
      machine.vm.limits.memory = 16 << 20
      try machine.run("keep = nil")
      machine.vm.limits.memory = 8 << 20
      #expect(try machine.run("return #('x'):rep(1 << 20)") == [.integer(1 << 20)])
    }
    machine.vm.collect()
    #expect(machine.vm.memoryUsed < before + 100_000)
  }

  @Test func `Garbage does not count: a run may use the cap many times over`() throws {
    let machine = try Machine(memory: 4 << 20)
    #expect(try machine.run("local n = 0 for i = 1, 200 do n = n + #(('x'):rep(1000000) .. i) end return n > 0") == [true])
  }

  @Test func `Buffers are given what garbage still holds`() throws {
    let machine = try Machine(memory: 8 << 20)
    for code in [
      "local keep = ('x'):rep(1 << 20) for i = 1, 100 do local s = ('y'):rep(3 << 20) .. i end",
      "local parts = {} for i = 1, 1000 do parts[i] = ('z'):rep(1000) end for i = 1, 100 do local s = table.concat(parts) end",
      "for i = 1, 100 do local s = string.format('%s%d', ('x'):rep(1000000), i) end",
      "for i = 1, 12 do local s = ('x'):rep(100000):gsub('x', 'yyyyyyyyyy') end",
    ] {
      #expect(machine.failure(code)?.message == nil, "\(code)")
    }
  }

  @Test func `What Swift hands in and out counts too`() throws {
    let machine = try Machine(memory: 1 << 20)
    let large = LuaValue.string(LuaString(bytes: [UInt8](repeating: 1, count: 2 << 20)))
    let error = #expect(throws: LuaError.self) { try machine.run("return 1") { $0.value(large) } }
    #expect(error?.kind == .memory)
    let (thread, status) = try machine.start("return #park()")
    #expect(status == .parked)
    #expect(machine.vm.resume(thread) { $0.value(large) } == .failed)
    #expect(machine.takeFailure(thread).kind == .memory)
    let globals = try machine.vm.globals()
    #expect(throws: LuaError.self) { try machine.vm.setField(globals, "x") { $0.value(large) } }
    #expect(try machine.run("return x") == [nil])
  }

  @Test func `A refusal that a native meets ends its caller's run, whatever the native makes of it`() throws {
    let machine = try Machine(
      memory: 2 << 20,
      natives: Machine.natives + [
        (
          "hungry",
          { state in
            let call = LuaCall(state)
            let vm = Machine.of(call).vm
            let globals = try? vm.globals()
            let text = String(repeating: "x", count: 4 << 20)
            if let globals {
              try? vm.setField(globals, "big") { $0.string(text) }
              vm.release(globals)
            }
            return call.returnTrue()
          }
        )
      ])
    let error = try #require(machine.failure("pcall(hungry) survived = true"))
    #expect(error.kind == .memory)
    #expect(try machine.run("return survived") == [nil])
  }

  @Test func `Limits can be changed while the VM lives`() throws {
    let machine = try Machine(memory: 32 << 20)
    #expect(try machine.run("kept = ('x'):rep(8 << 20) return #kept") == [.integer(8 << 20)])
    machine.vm.limits = LuaLimits(memory: 4 << 20)
    #expect(machine.failure("local s = ('x'):rep(1 << 20)")?.kind == .memory)
    machine.vm.limits = LuaLimits(memory: 0, time: .zero)
    #expect(try machine.run("return #('x'):rep(64 << 20)") == [.integer(64 << 20)])
    machine.vm.limits = LuaLimits(memory: 16 << 20)
    #expect(machine.vm.limits.memory == 16 << 20)
    #expect(machine.failure("local s = ('x'):rep(32 << 20)")?.kind == .memory)
  }
}
