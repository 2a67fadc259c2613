import LuaHost
import Testing

/// Trusted code has finalizers, which run in the middle of anything that allocates.
struct TrustedTests {
  /// Natives that a finalizer may call at any moment, and that may be interrupted by one.
  private static let natives: [(String, LuaNative)] =
    Machine.natives + [
      (
        "list",
        { state in
          LuaCall(state).returns { pack in
            for index in 0..<20 {
              pack.beginTable()
              pack.element()
              pack.string("value \(index)")
              pack.endTable()
            }
          }
        }
      ),
      (
        "nested",
        { state in
          let call = LuaCall(state)
          let vm = Machine.of(call).vm
          // Calls into the VM while the answer is being written: finalizers run in between.
          return call.returns { pack in
            for index in 0..<20 {
              if let table = try? vm.newTable() { pack.ref(table) }
              pack.string("after \(index)")
            }
          }
        }
      ),
    ]

  private static let litter = """
    local natives = { list, nested, function() pcall(fail, 'in a finalizer') end, function() echo({ 1, 2, { 3 } }) end,
      function() pcall(back, function() error('deep') end) end, function() pcall(park) end,
      function() coroutine.wrap(function() list() coroutine.yield() end)() end, function() error({}) end }
    local n = 0
    function litter()
      for _ = 1, 20 do
        n = n + 1
        local native = natives[n % #natives + 1]
        setmetatable({}, { __gc = function() finalized = (finalized or 0) + 1 native() end })
      end
    end
    """

  @Test func `Finalizers that call natives do not disturb the native they interrupt`() throws {
    let machine = try Machine(libraries: .trusted, natives: Self.natives)
    try machine.run(Self.litter)
    for _ in 0..<300 {
      let values = try machine.run(
        "litter() local t = table.pack(list()) litter() local s = {} for i = 1, t.n do s[i] = t[i][1] end return s")
      #expect(values == [.table(LuaTable(array: (0..<20).map { LuaValue("value \($0)") }))])
      let nested = try machine.run("litter() local t = table.pack(nested()) return t.n, t[40], type(t[39])")
      #expect(nested == [40, "after 19", "table"])
      let error = try #require(
        machine.failure("litter() error(setmetatable({}, { __tostring = function() litter() return 'the ' .. 'error' end }))"))
      #expect(error.message == "the error")
    }
    #expect(try machine.run("return finalized > 1000") == [true])
  }

  @Test func `Finalizers run inside runs, waits and answers`() throws {
    let machine = try Machine(libraries: .trusted, natives: Self.natives)
    try machine.run(Self.litter)
    for _ in 0..<100 {
      #expect(
        try machine.finish(
          "litter() local a = park() litter() local b = coroutine.wrap(function() litter() return park() end)() litter() collectgarbage() return a, b, select('#', list())"
        )
          == [1, 2, 20])
    }
  }

  @Test func `Finalizers left when the VM closes find their natives gone, not freed`() throws {
    for _ in 0..<20 {
      let machine = try Machine(libraries: .trusted, natives: Self.natives)
      try machine.run(Self.litter)
      try machine.run(
        "keep = {} for i = 1, 100 do keep[i] = setmetatable({}, { __gc = function() list() echo(1) park() fail() end }) end")
    }
  }

  @Test func `A finalizer cannot wait`() throws {
    let machine = try Machine(libraries: .trusted)
    let results = try machine.finish(
      "local message setmetatable({}, { __gc = function() message = select(2, pcall(park)).message end }) collectgarbage() return message"
    )
    #expect(results.first?.text?.hasSuffix("cannot wait here") == true)
  }
}
