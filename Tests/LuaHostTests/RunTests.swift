import LuaHost
import Testing

/// Open, call, resume, yield, close.
struct RunTests {
  @Test func `A run that waits goes on where it was, with what it is given`() throws {
    let machine = try Machine()
    let (thread, status) = try machine.start("local a, b = park() local c = park() return a, b, c")
    #expect(status == .parked)
    #expect(
      machine.vm.resume(thread) {
        $0.string("one")
        $0.integer(2)
      } == .parked)
    #expect(machine.vm.resume(thread) { $0.nil() } == .finished)
    #expect(try thread.results() == ["one", 2, nil])
  }

  @Test func `A wait that is answered with an error raises it there, and it can be caught`() throws {
    let machine = try Machine()
    let (thread, _) = try machine.start("local ok, e = pcall(park) return ok, e.kind, e.message, tostring(e)")
    let error = LuaError(kind: .runtime, message: "it closed", value: ["kind": "closed", "message": "it closed", "peer": "p"])
    #expect(machine.vm.resume(thread, raising: error) == .finished)
    #expect(try thread.results() == [false, "closed", "it closed", "it closed (peer p)"])
    let (second, _) = try machine.start("park()")
    #expect(machine.vm.resume(second, raising: error) == .failed)
    #expect(machine.takeFailure(second).value?.table?["kind"] == "closed")
  }

  @Test func `One thread serves a thousand runs, whatever became of them`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    for round in 0..<1_000 {
      switch round % 4 {
      case 0:
        #expect(try machine.start("return 1, 2", in: thread).status == .finished)
        #expect(try thread.results() == [1, 2])
      case 1:
        #expect(try machine.start("error('no')", in: thread).status == .failed)
        #expect(machine.takeFailure(thread).message == "test.lua:1: no")
      case 2:
        #expect(try machine.start("park()", in: thread).status == .parked)
        thread.abandon()
      default:
        #expect(try machine.start("return park()", in: thread).status == .parked)
        #expect(machine.vm.resume(thread) { $0.integer(5) } == .finished)
        #expect(try thread.results() == [5])
      }
    }
  }

  @Test func `A run abandoned inside pcall and xpcall leaves nothing behind for the next`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    for _ in 0..<100 {
      let (_, status) = try machine.start(
        "local function deep(n) if n > 0 then return (deep(n - 1)) end return xpcall(park, function(e) return 'mine' end) end deep(50)",
        in: thread)
      #expect(status == .parked)
      thread.abandon()
      #expect(try machine.start("error('plain')", in: thread).status == .failed)
      #expect(machine.takeFailure(thread).message == "test.lua:1: plain")
    }
  }

  @Test func `Nor where the script has used up its memory`() throws {
    let machine = try Machine(memory: 1 << 20)
    let thread = try #require(machine.vm.makeThread())
    let code = """
      local function deep(n)
        if n > 0 then return (deep(n - 1)) end
        return xpcall(park, function(e) return "mine" end)
      end
      deep(50)
      """
    #expect(try machine.start(code, in: thread).status == .parked)
    machine.vm.limits = LuaLimits(memory: 1, time: .seconds(30))
    thread.abandon()
    machine.vm.limits = LuaLimits(memory: 1 << 20, time: .seconds(30))
    #expect(try machine.start("error('plain')", in: thread).status == .failed)
    #expect(machine.takeFailure(thread).message == "test.lua:1: plain")
  }

  @Test func `Abandoning runs the pending close handlers, which cannot wait`() throws {
    let machine = try Machine()
    let (thread, status) = try machine.start(
      """
      local guard <close> = setmetatable({}, { __close = function()
        closed = select(2, pcall(park)).message
      end })
      park()
      """)
    #expect(status == .parked)
    thread.abandon()
    #expect(try machine.run("return closed").first?.text?.hasSuffix("cannot wait here") == true)
  }

  /// Gives numbered messages of three bytes, so many.
  private struct Source {
    var left: Int
    var bytes: (UInt8, UInt8, UInt8) = (0, 1, 2)
    static let next: LuaMessageSource = { context, bytes, count in
      let source = context!.assumingMemoryBound(to: Source.self)
      guard source.pointee.left > 0 else { return false }
      source.pointee.left -= 1
      source.pointee.bytes.0 += 1
      bytes!.pointee = UnsafeRawPointer(context! + MemoryLayout<Source>.offset(of: \Source.bytes)!)
      count!.pointee = 3
      return true
    }
  }

  /// Delivers so many messages to `function(a, b, m)`; how it ended, and how many were not asked for.
  private func deliver(
    _ count: Int, to hook: String, in machine: Machine, _ thread: LuaThread
  ) throws -> (status: LuaRunStatus, left: Int) {
    let function = try machine.vm.callNowRef(machine.vm.load("return \(hook)", chunkName: "@f.lua"))
    let text = try machine.vm.callNowRef(machine.vm.load("return 'x'", chunkName: "@x.lua"))
    var source = Source(left: count)
    var status: LuaRunStatus
    repeat {
      machine.vm.forgetLongRun()
      status = withUnsafeMutablePointer(to: &source) {
        machine.vm.deliver(to: LuaReceiver(function, text, text), in: thread, from: Source.next, $0)
      }
    } while status == .finished && source.left > 0
    return (status, source.left)
  }

  /// Natives that ask what the object at 1 points to, and that take it away.
  private static let found: LuaNative = { state in
    let call = LuaCall(state)
    let value = call.object(1, 7)?.load(as: Int64.self) ?? 0
    return call.returns { $0.integer(value) }
  }
  private static let taken: LuaNative = { state in
    let call = LuaCall(state)
    held?.setPointer(nil)
    return call.none()
  }
  /// Of the one test that uses it.
  nonisolated(unsafe) private static var held: LuaObject?

  @Test func `Natives find the receiver's object, another's all the same, and neither once it was taken away`() throws {
    let machine = try Machine(natives: Machine.natives + [("found", Self.found), ("taken", Self.taken)])
    let vm = machine.vm
    let thread = try #require(vm.makeThread())
    let values = UnsafeMutablePointer<Int64>.allocate(capacity: 2)
    defer { values.deallocate() }
    values.initialize(to: 11)
    (values + 1).initialize(to: 22)
    let own = UnsafeMutableRawPointer(values)
    let (object, other) = (try vm.makeObject(tag: 7), try vm.makeObject(tag: 7))
    Self.held = object
    defer { Self.held = nil }
    let wrap = try vm.load("return { (...) }", chunkName: "@w.lua")
    let handle = try vm.callNowRef(wrap) { $0.ref(object.ref) }
    let second = try vm.callNowRef(wrap) { $0.ref(other.ref) }
    let hook = try vm.callNowRef(
      vm.load(
        "return function(a, b) seen = { found(b), found(a), found({}), found('x') } taken() seen[5], seen[6] = found(b), found(a) end",
        chunkName: "@f.lua"))
    object.setPointer(own)
    other.setPointer(values + 1)
    var source = Source(left: 1)
    let receiver = LuaReceiver(hook, second, handle, tag: 7, pointer: own)
    let status = withUnsafeMutablePointer(to: &source) { vm.deliver(to: receiver, in: thread, from: Source.next, $0) }
    #expect(status == .finished)
    #expect(try machine.run("return table.unpack(seen)") == [11, 22, 0, 0, 0, 22])
    // Outside of a delivery the object itself is asked.
    object.setPointer(own)
    let later = try machine.run("return found(...)") { $0.ref(handle) }
    #expect(later == [11])
    object.setPointer(nil)
    other.setPointer(nil)
  }

  @Test func `Messages are delivered as strings, in order, one call each`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    let (status, left) = try deliver(
      100, to: "function(a, b, m) seen = (seen or '') .. #m .. m:byte() .. a .. b .. ' ' end", in: machine, thread)
    #expect(status == .finished && left == 0 && thread.resultCount == 0)
    let expected = (1...100).map { "3\($0)xx " }.joined()
    #expect(try machine.run("return seen").first?.text == expected)
  }

  @Test func `A call that waits ends the series, and finishes alone`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    let (status, left) = try deliver(
      5, to: "function(_, _, m) if m:byte() == 2 then waited = park() end n = (n or 0) + 1 end", in: machine, thread)
    #expect(status == .parked && left == 3)
    #expect(machine.vm.resume(thread) { $0.string("yes") } == .finished)
    #expect(try machine.run("return n, waited") == [2, "yes"])
    #expect(try deliver(2, to: "function() n = n + 1 end", in: machine, thread).status == .finished)
    #expect(try machine.run("return n") == [4])
  }

  @Test func `A call that fails ends the series with its error, also after a wait`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    let hook = "function(_, _, m) if m:byte() == 3 then if wait then park() end error('no') end end"
    let (status, left) = try deliver(5, to: hook, in: machine, thread)
    #expect(status == .failed && left == 2)
    #expect(machine.takeFailure(thread).message == "f.lua:1: no")
    _ = try machine.run("wait = true")
    #expect(try deliver(5, to: hook, in: machine, thread).status == .parked)
    #expect(machine.vm.resume(thread) { _ in } == .failed)
    #expect(machine.takeFailure(thread).message == "f.lua:1: no")
  }

  @Test func `Each message of a series has a time budget of its own`() throws {
    let machine = try Machine(time: .milliseconds(100))
    let thread = try #require(machine.vm.makeThread())
    // Together well over the budget though other tests run meanwhile, each under it; and then one over it.
    let spin = "local t = os.clock() + %s while os.clock() < t do end"
    let (status, _) = try deliver(20, to: "function() \(spin.replacing("%s", with: "0.05")) end", in: machine, thread)
    #expect(status == .finished)
    let (killed, left) = try deliver(
      4, to: "function(_, _, m) if m:byte() == 2 then \(spin.replacing("%s", with: "60")) end end", in: machine, thread)
    #expect(killed == .failed && left == 2)
    #expect(try deliver(1, to: "function() end", in: machine, thread).status == .finished)
  }

  @Test func `Threads the host mixes up are an error for the host`() throws {
    let machine = try Machine()
    let thread = try #require(machine.vm.makeThread())
    #expect(machine.vm.resume(thread) { _ in } == .failed)
    #expect(machine.takeFailure(thread).message.contains("waits for none"))
    #expect(try machine.start("return park()", in: thread).status == .parked)
    #expect(try machine.start("return 1", in: thread).status == .failed)
    #expect(machine.takeFailure(thread).message.contains("in the middle"))
    #expect(machine.vm.resume(thread) { $0.integer(3) } == .finished)
    #expect(try thread.results() == [3])
  }

  @Test func `Where a parked run stands can be seen`() throws {
    let machine = try Machine()
    let (thread, _) = try machine.start("local function wait_here()\n  park()\nend\nwait_here()")
    #expect(
      thread.traceback.contains("test.lua:2: in upvalue 'wait_here'")
        || thread.traceback.contains("test.lua:2: in local 'wait_here'"))
    #expect(thread.traceback.contains("test.lua:4: in"))
  }

  @Test func `A VM outlives its last handle as long as a thread or an object is held`() throws {
    var machine: Machine? = try Machine()
    let thread = try #require(machine?.start("return 1, { 2 }").thread)
    let object = try #require(try machine?.vm.makeObject(tag: 7))
    machine = nil
    #expect(try thread.results() == [1, [2]])
    object.setPointer(nil)
  }

  @Test func `Opening and closing many VMs with live threads, references and objects leaves none alive`() throws {
    weak var last: LuaVM?
    for _ in 0..<200 {
      let machine = try Machine(memory: 1 << 20)
      let chunk = try machine.vm.load("return park()", chunkName: "@t.lua")
      var threads: [LuaThread] = []
      for _ in 0..<5 {
        let thread = try #require(machine.vm.makeThread())
        #expect(machine.vm.start(thread, chunk) { _ in } == .parked)
        threads.append(thread)
      }
      _ = try machine.vm.makeObject(tag: 1)
      last = machine.vm
    }
    #expect(last == nil)
  }

  @Test func `Too little memory for the libraries is an error`() {
    let error = #expect(throws: LuaError.self) {
      try LuaVM(limits: LuaLimits(memory: 4_000), libraries: .sandboxed, context: nil)
    }
    #expect(error?.kind == .memory)
  }
}
