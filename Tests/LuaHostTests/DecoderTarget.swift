import FuzzSupport
import LuaHost

/// Decoders in Lua that answer anything, in the loop that believes them: it takes no byte that is not there, loses none,
/// and ends.
enum DecoderTarget {
  /// What the loop reads from and answers to, all through one pointer.
  private final class Stream {
    /// Of just that size: what reads beyond it is found by the address sanitizer.
    let bytes: UnsafeMutableRawBufferPointer
    var start = 0
    var looks = 0
    var wanted = 0
    var taken: [Int] = []
    var problem: String?

    init(_ input: [UInt8]) {
      bytes = .allocate(byteCount: input.count, alignment: 1)
      bytes.copyBytes(from: input)
    }

    deinit { bytes.deallocate() }
  }

  /// Its bytes say what the decoder answers: a kind, then a count.
  private static let script = """
    local longest = ...
    return function(view)
      local n = #view
      assert(view:u8(1) and not view:u8(n + 1) and not view:bytes(n, 2), "it sees what is not there")
      local kind, count = view:u8(1), (view:u8(2) or 0) - 4
      if kind == 0 then return nil end
      if kind == 1 then return nil, n + count end
      if kind == 2 then return view:bytes(1, 1), count end
      if kind == 3 then return {}, n + count end
      if kind == 4 then error("no") end
      if kind == 5 then return false, 1 end
      if kind == 6 then return 1, math.mininteger end
      if kind == 7 then return nil, math.maxinteger end
      if kind == 8 then return "x", 1.5 end
      if kind == 9 then return "x" end
      if kind == 10 then return nil, "x" end
      if kind == 11 then return view, 2 end
      if kind == 12 then return function() return view:u8(1) end, 1, 2, 3 end
      if kind == 13 then error({ kind = n }) end
      if kind == 14 then return nil, longest + count end
      return "message", kind % 5 + 1
    end
    """

  static func target() throws -> FuzzTarget {
    let machine = try Machine()
    let vm = machine.vm
    let make = try vm.load(script, chunkName: "@decoder.lua")
    let decode = try vm.callNowRef(make) { $0.integer(Int64(longest)) }
    let refuse = try vm.callNowRef(vm.load("return function(...) error('refused') end", chunkName: "@refuse.lua"))
    let process = try vm.callNowRef(
      vm.load("return function(_, _, m) if type(m) == 'function' then assert(not pcall(m)) end end", chunkName: "@process.lua"))
    let nothing = try vm.globals()
    let decoder = LuaDecoder(
      decode: decode, refuse: refuse, max: longest,
      take: { context, amount in
        let stream = DecoderTarget.from(context)
        if amount < 1 || amount > stream.bytes.count - stream.start { stream.problem = "took \(amount)" }
        stream.start += amount
        stream.taken.append(amount)
        return true
      },
      expect: { context, total in
        let stream = DecoderTarget.from(context)
        if total <= stream.bytes.count - stream.start || total > DecoderTarget.longest { stream.problem = "expects \(total)" }
        stream.wanted = total
      })
    let seeds = (0..<16 as Range<UInt8>).map { [$0, 6, 20, 4, 30, 9, 1, 7] } + [[UInt8](repeating: 17, count: 64)]
    return FuzzTarget("decoder", count: 5000, seeds: seeds) { input in
      let stream = Stream(input)
      let thread = vm.makeThread()!
      let status = vm.deliver(
        to: LuaReceiver(process, nothing, nothing), in: thread,
        from: { context, bytes, count in
          let stream = DecoderTarget.from(context)
          stream.looks += 1
          guard stream.start < stream.bytes.count else { return false }
          bytes!.pointee = UnsafeRawPointer(stream.bytes.baseAddress! + stream.start)
          count!.pointee = stream.bytes.count - stream.start
          return true
        }, through: decoder, Unmanaged.passUnretained(stream).toOpaque())
      if let problem = stream.problem { return problem }
      if stream.looks > input.count + 1 { return "looked \(stream.looks) times at \(input.count) bytes" }
      if case .parked = status { return "it waits" }
      return try machine.run("return 1").isEmpty ? "the VM is broken" : nil
    }
  }

  private static let longest = 1000

  private static func from(_ context: UnsafeMutableRawPointer?) -> Stream {
    Unmanaged<Stream>.fromOpaque(context!).takeUnretainedValue()
  }
}
