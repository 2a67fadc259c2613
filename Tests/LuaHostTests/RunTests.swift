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

  @Test func `A message's bytes are delivered as a string`() throws {
    let machine = try Machine()
    let chunk = try machine.vm.load("return function(a, b, m) seen = #m .. a .. b end", chunkName: "@f.lua")
    let hook = try machine.vm.callNowRef(chunk)
    let text = try machine.vm.callNowRef(machine.vm.load("return 'x'", chunkName: "@x.lua"))
    let thread = try #require(machine.vm.makeThread())
    let bytes: [UInt8] = [0, 1, 2]
    for _ in 0..<100 {
      #expect(bytes.withUnsafeBytes { machine.vm.deliver(thread, hook, text, text, $0) } == .finished)
      #expect(thread.resultCount == 0)
    }
    #expect(try machine.run("return seen") == ["3xx"])
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
    #expect(thread.traceback.contains("test.lua:2: in upvalue 'wait_here'") || thread.traceback.contains("test.lua:2: in local 'wait_here'"))
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
