import FuzzSupport
import LuaHost

/// The view that a decoder looks through, in bytes of just their size: what is read beyond them the address sanitizer finds.
enum ViewTarget {
  /// The same by Lua's own functions.
  private static let script = """
    local bytes = ...
    local layouts = { u8 = ">I1", i8 = ">i1", u16 = ">I2", i16 = ">i2", u32 = ">I4", i32 = ">i4", u64 = ">I8", i64 = ">i8",
      u16le = "<I2", i16le = "<i2", u32le = "<I4", i32le = "<i4", u64le = "<I8", i64le = "<i8", f32 = ">f", f64 = ">d",
      f32le = "<f", f64le = "<d" }
    local names = {}
    for name in pairs(layouts) do names[#names + 1] = name end
    table.sort(names)
    local function inside(all, at, count) return at <= #all and count <= #all - at + 1 or count == 0 and at == #all + 1 end
    return function(view, all, kind, at, count)
      local text = string.pack("<j", count):sub(1, 1 + count % 3)
      local name = names[kind + 1]
      if name then
        local layout = layouts[name]
        local ok, value = pcall(view[name], view, at)
        if at < 1 then return not ok, name end
        local expected
        if inside(all, at, string.packsize(layout)) then expected = string.unpack(layout, all, at) end
        return ok and (value == expected or value ~= value and expected ~= expected), name
      end
      if kind == #names then
        local ok, value = pcall(view.bytes, view, at, count)
        if at < 1 or count < 0 then return not ok, "bytes" end
        return ok and value == (inside(all, at, count) and all:sub(at, at + count - 1) or nil), "bytes"
      elseif kind == #names + 1 then
        local value = view:find(text, at)
        return value == (at >= 1 and at <= #all + 1 and all:find(text, at, true) or nil), "find"
      end
      return view:starts_with(text) == (all:sub(1, #text) == text) and #view == #all, "starts_with"
    end
    """
  private static let kinds: UInt8 = 21

  static func target() throws -> FuzzTarget {
    let machine = try Machine()
    let check = try machine.vm.callNowRef(machine.vm.load(script, chunkName: "@view.lua"))
    let places = [1, 2, 9, 0, -1, Int.max, Int.min]
    let seeds = (0..<kinds).flatMap { kind -> [[UInt8]] in
      places.map { place -> [UInt8] in [kind] + bytes(place) + bytes(3) + [1, 2, 3, 0, 255, 128, 7, 8, 9] }
    }
    return FuzzTarget("view", count: 5000, seeds: seeds) { input in
      guard input.count >= 17 else { return nil }
      let (at, count) = (integer(input[1..<9]), integer(input[9..<17]))
      let own = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count - 17, alignment: 1)
      defer { own.deallocate() }
      own.copyBytes(from: input[17...])
      machine.vm.setView(UnsafeRawBufferPointer(own))
      defer { machine.vm.clearView() }
      let result = try machine.vm.callNow(check) { pack in
        pack.ref(machine.vm.view)
        pack.bytes(UnsafeRawBufferPointer(own))
        pack.integer(Int64(input[0] % kinds))
        pack.integer(at)
        pack.integer(count)
      }
      return result[0] == true ? nil : "\(result[1]) at \(at), \(count)"
    }
  }

  private static func bytes(_ number: Int) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
  private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 { bytes.reversed().reduce(0) { $0 << 8 | Int64($1) } }
}
