import LuaHost
import Synchronization
import Testing

/// Nothing raises over a Swift frame: what the frames of natives own is released, ten thousand errors long.
@Suite(.serialized) struct LeakTests {
  /// Counts its living instances.
  private final class Counted {
    static let living = Atomic(0)
    let text: String
    init() {
      text = String(repeating: "x", count: 100)
      Self.living.wrappingAdd(1, ordering: .relaxed)
    }
    deinit { Self.living.wrappingSubtract(1, ordering: .relaxed) }
    static var count: Int { living.load(ordering: .relaxed) }
  }

  private static let natives: [(String, LuaNative)] = [
    // raises with objects alive in its frame
    (
      "raise_kind",
      { state in
        let call = LuaCall(state)
        let held = [Counted(), Counted()]
        return withExtendedLifetime(held) { call.raise("failed", held[0].text) }
      }
    ),
    (
      "raise_usage",
      { state in
        let call = LuaCall(state)
        let held = Counted()
        return withExtendedLifetime(held) { call.raise("usage", held.text) }
      }
    ),
    // calls back into Lua, which raises, and raises in turn
    (
      "through",
      { state in
        let call = LuaCall(state)
        let vm = Machine.of(call).vm
        let held = Counted()
        guard let function = call.ref(1) else { return call.raise("memory", held.text) }
        defer { vm.release(function) }
        do throws(LuaError) {
          let values = try vm.callNow(function) { $0.string(held.text) }
          return withExtendedLifetime(held) { call.returns { pack in values.forEach { pack.value($0) } } }
        } catch {
          return withExtendedLifetime(held) { call.raise("failed", error.message) }
        }
      }
    ),
    // returns more than the VM may have room for
    (
      "large",
      { state in
        let call = LuaCall(state)
        let held = Counted()
        let value = LuaValue.table(LuaTable(array: (0..<2_000).map { _ in LuaValue(held.text) }))
        return withExtendedLifetime(held) { call.returns { $0.value(value) } }
      }
    ),
    (
      "bytes",
      { state in
        let call = LuaCall(state)
        let held = Counted()
        let bytes = [UInt8](repeating: 1, count: 300_000)
        return withExtendedLifetime(held) { bytes.withUnsafeBytes { call.returnBytes($0) } }
      }
    ),
    (
      "wait",
      { state in
        let call = LuaCall(state)
        let held = Counted()
        return withExtendedLifetime(held) { call.canPark ? call.park() : call.raise("usage", held.text) }
      }
    ),
  ]

  private func machine(memory: Int) throws -> Machine {
    try Machine(memory: memory, natives: Machine.natives + Self.natives)
  }

  /// Each way to fail, told apart by the round.
  private static let rounds = """
    local n = ...
    local ways = {
      function() raise_kind() end,
      function() raise_usage() end,
      function() through(function() error('from Lua') end) end,
      function() through(function() raise_kind() end) end,
      function() through(function() through(function() error({ kind = 'x' }) end) end) end,
      function() coroutine.wrap(function() raise_kind() end)() end,
      function() table.sort({ 3, 1, 2 }, function() raise_usage() end) end,
      function() local _ = setmetatable({}, { __index = raise_kind }).field end,
      function() local x <close> = setmetatable({}, { __close = raise_kind }) error('first') end,
      function() for _ in raise_kind do end end,
      function() ('x'):gsub('x', raise_usage) end,
      function() table.sort({ 2, 1 }, function() wait() end) end,
    }
    ways[n % #ways + 1]()
    """

  @Test func `Ten thousand errors that end runs leave no object behind`() throws {
    let before = Counted.count
    let machine = try machine(memory: 4 << 20)
    let chunk = try machine.vm.load(Self.rounds, chunkName: "@rounds.lua")
    let thread = try #require(machine.vm.makeThread())
    for round in 0..<10_000 {
      #expect(machine.vm.start(thread, chunk) { $0.integer(Int64(round)) } == .failed)
      let (error, value) = thread.takeFailure()
      machine.vm.release(value)
      #expect(!error.message.isEmpty)
    }
    #expect(Counted.count == before)
    machine.vm.collect()
    #expect(machine.vm.memoryUsed < 200_000)
  }

  @Test func `Ten thousand errors caught in Lua leave no object behind`() throws {
    let before = Counted.count
    let machine = try machine(memory: 4 << 20)
    let caught = try machine.run(
      "local way = load(...) local n = 0 for i = 1, 10000 do if not pcall(way, i) then n = n + 1 end end return n"
    ) { $0.string(Self.rounds) }
    #expect(caught == [10_000])
    #expect(Counted.count == before)
  }

  @Test func `Ten thousand errors under a memory cap leave no object behind`() throws {
    let before = Counted.count
    let machine = try machine(memory: 260_000)
    machine.vm.collect()
    let fresh = machine.vm.memoryUsed
    var ends: [LuaError.Kind: Int] = [:]
    let chunk = try machine.vm.load(
      "local fill, n = ... ballast = ('x'):rep(fill) "
        + "local ways = { large, bytes, function() return ('y'):rep(200000) end, raise_kind, function() local t = {} "
        + "for i = 1, 1e9 do t[i] = {} end end, function() through(large) end, function() through(bytes) end, "
        + "function() pcall(large) pcall(bytes) raise_usage() end, function() coroutine.wrap(large)() end } "
        + "return #{ ways[n % #ways + 1]() }", chunkName: "@cap.lua")
    let thread = try #require(machine.vm.makeThread())
    for round in 0..<10_000 {
      let fill = Int64(round % 97) * 2_000
      let status = machine.vm.start(thread, chunk) {
        $0.integer(fill)
        $0.integer(Int64(round))
      }
      guard status == .failed else { continue }
      let (error, value) = thread.takeFailure()
      machine.vm.release(value)
      ends[error.kind, default: 0] += 1
    }
    #expect(Counted.count == before)
    #expect(ends[.memory, default: 0] > 5_000)
    #expect(machine.vm.memoryPeak <= 262_144)
    machine.vm.limits = LuaLimits(memory: 1 << 20, time: .zero)
    _ = try machine.run("ballast = nil")
    machine.vm.collect()
    #expect(machine.vm.memoryUsed < 120_000, "\(machine.vm.memoryUsed) of which when opened \(fresh)")
    #expect(try machine.run("return 'alive'") == ["alive"])
  }

  @Test func `Waits that are answered, raised into and abandoned leave no object behind`() throws {
    let before = Counted.count
    let machine = try machine(memory: 1 << 20)
    let chunk = try machine.vm.load("pcall(wait) coroutine.wrap(function() wait() end)() wait()", chunkName: "@wait.lua")
    let thread = try #require(machine.vm.makeThread())
    for round in 0..<3_000 {
      #expect(machine.vm.start(thread, chunk) { _ in } == .parked)
      switch round % 3 {
      case 0: thread.abandon()
      case 1:
        #expect(machine.vm.resume(thread, raising: LuaError(kind: .runtime, message: "x")) == .parked)
        #expect(machine.vm.resume(thread, raising: LuaError(kind: .runtime, message: "y")) == .failed)
        _ = machine.takeFailure(thread)
      default:
        for _ in 0..<2 { #expect(machine.vm.resume(thread) { _ in } == .parked) }
        #expect(machine.vm.resume(thread) { _ in } == .finished)
      }
    }
    #expect(Counted.count == before)
  }

  @Test func `Every allocation can fail: opening, loading, calling, answering`() throws {
    // The cap moves in small steps over everything that happens, so that each allocation is the refused one once.
    let before = Counted.count
    var opened = 0
    for cap in stride(from: 2_000, to: 90_000, by: 61) {
      guard let machine = try? machine(memory: cap) else { continue }
      opened += 1
      machine.vm.limits = LuaLimits(memory: machine.vm.memoryUsed + (cap % 9_001), time: .zero)
      _ = machine.failure("local t = {} for i = 1, 50 do t[i] = { tostring(i) } end raise_kind(t)")
      _ = machine.failure("return through(function(...) return ... end), large()")
      guard let thread = machine.vm.makeThread(), let chunk = try? machine.vm.load("return wait()", chunkName: "@w.lua") else {
        continue
      }
      if machine.vm.start(thread, chunk, { _ in }) == .parked {
        _ = machine.vm.resume(thread) { $0.value(["a": [1, 2, "three"], "b": LuaValue(String(repeating: "z", count: 500))]) }
      }
      _ = try? machine.vm.newTable()
      _ = try? machine.vm.makeObject(tag: 1)
    }
    #expect(opened > 100)
    #expect(Counted.count == before)
  }
}
