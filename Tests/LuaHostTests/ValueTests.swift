import LuaHost
import Testing

/// What comes out is what went in, or a clear error.
struct ValueTests {
  @Test func `Every kind of plain value crosses both ways unchanged`() throws {
    let machine = try Machine()
    let values: [LuaValue] = [
      nil, true, false, 0, 1, -1, .integer(.max), .integer(.min), 0.5, -0.25, .number(1e308), .number(.infinity),
      .number(-.infinity), "", "text", "ünïcødé", .string(LuaString(bytes: [0, 255, 10, 0])), [], [1, 2, 3],
      ["a": 1, "b": ["c": [true, "x"]]], [["deep": [[["er"]]]]],
    ]
    for value in values {
      #expect(try machine.run("return (...)") { $0.value(value) } == [value])
      #expect(try machine.run("return echo((...))") { $0.value(value) } == [value])
    }
  }

  @Test func `Integers stay integers and floats stay floats`() throws {
    let machine = try Machine()
    let kinds = try machine.run("return math.type((...)), math.type((select(2, ...)))") {
      $0.integer(3)
      $0.number(3)
    }
    #expect(kinds == ["integer", "float"])
    #expect(try machine.run("return 3, 3.0, 2^53, 1 << 62") == [3, 3.0, .number(9_007_199_254_740_992), .integer(1 << 62)])
    let nan = try machine.run("return 0/0")
    #expect(nan.first?.double?.isNaN == true)
  }

  @Test func `Strings keep every byte, at any length`() throws {
    let machine = try Machine(memory: 64 << 20)
    let all = LuaValue.string(LuaString(bytes: (0...255).map { UInt8($0) }))
    #expect(try machine.run("local s = ... return s, #s, s:byte(1), s:byte(-1)") { $0.value(all) } == [all, 256, 0, 255])
    let big = LuaValue.string(LuaString(bytes: [UInt8](repeating: 7, count: 5_000_000)))
    #expect(try machine.run("return (...) .. 'x'") { $0.value(big) }.first?.bytes?.count == 5_000_001)
  }

  @Test func `A table with holes, mixed and odd keys keeps its parts`() throws {
    let machine = try Machine()
    let value = try machine.run("return { 1, nil, 3, [10] = 'ten', [-1] = 'minus', [true] = 'yes', [0.5] = 'half', n = 2 }")
    let table = try #require(value.first?.table)
    #expect(table.array == [1, nil, 3])
    #expect(table["n"] == 2)
    // Booleans, numbers, texts: an order that does not depend on Lua's hash.
    #expect(table.fields.map(\.key) == [true, -1, 0.5, 10, "n"])
  }

  @Test func `A table in two places arrives twice`() throws {
    let machine = try Machine()
    #expect(try machine.run("local t = { 1 } return { t, t }") == [[[1], [1]]])
  }

  @Test(arguments: [
    ("local t = {} t.inner = { t } return t", "inner[1] is a table that contains itself"),
    ("return { a = { b = print } }", "a.b is a function, not plain data"),
    ("return { coroutine.create(print) }", "[1] is a coroutine, not plain data"),
    ("return { [print] = 1 }", "is a function, not plain data"),
    ("local t = {} for _ = 1, 70 do t = { t } end return t", "nested too deeply (over 64 levels)"),
    ("local t = { 1 } for _ = 1, 40 do t = { t, t } end return t", "too large to hand over (over a million values)"),
  ])
  func `What is no plain data is refused with the path to it`(code: String, message: String) throws {
    let machine = try Machine()
    let inCall = try #require(machine.failure(code))
    #expect(inCall.message.contains(message))
    let (thread, status) = try machine.start(code)
    #expect(status == .finished)
    let inRun = #expect(throws: LuaError.self) { try thread.results() }
    #expect(inRun?.kind == .type)
    #expect(inRun?.message.contains(message) == true)
    let inNative = try machine.run("return select(2, pcall(echo, (function() \(code) end)())).message")
    #expect(inNative.first?.text?.contains(message) == true)
  }

  @Test func `A value that Swift nests too deeply is an error in Lua`() throws {
    let machine = try Machine()
    let error = #expect(throws: LuaError.self) {
      try machine.run("return 1") { pack in
        for _ in 0..<100_000 {
          pack.beginTable()
          pack.element()
        }
        pack.integer(1)
        for _ in 0..<100_000 { pack.endTable() }
      }
    }
    #expect(error?.message.contains("nested too deeply") == true)
    #expect(try machine.run("return 1") == [1])
  }

  @Test func `Values that Swift packs wrongly are an error, not a wild read`() throws {
    let machine = try Machine()
    let writers: [(inout LuaPack) -> Void] = [
      { $0.beginTable() },
      { pack in
        pack.beginTable()
        pack.field()
        pack.integer(1)
      },
      { pack in
        pack.beginTable()
        pack.field()
        pack.nil()
        pack.integer(1)
        pack.endTable()
      },
      { $0.value(.table(LuaTable(fields: [LuaField(key: .number(.nan), value: 1)]))) },
    ]
    for writer in writers {
      #expect(throws: LuaError.self) { try machine.run("return ...", writer) }
      let (thread, status) = try machine.start("return ...", writer)
      #expect(status == .failed)
      #expect(!machine.takeFailure(thread).message.isEmpty)
    }
    #expect(try machine.run("return 'fine'") == ["fine"])
  }

  @Test func `Ten thousand values in one table cross both ways`() throws {
    let machine = try Machine()
    let list = LuaValue.table(LuaTable(array: (0..<10_000).map { .integer($0) }))
    #expect(try machine.run("local t = ... return #t, t") { $0.value(list) } == [10_000, list])
  }

  @Test func `References hold what cannot cross`() throws {
    let machine = try Machine()
    let chunk = try machine.vm.load("return function(x) return x * 2 end", chunkName: "@f.lua")
    let double = try machine.vm.callNowRef(chunk)
    #expect(try machine.vm.callNow(double) { $0.integer(21) } == [42])
    machine.vm.release(double)
    machine.vm.release(chunk)
  }
}
