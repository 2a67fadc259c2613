internal import CLua

/// A decoder written in Lua, `decode(view)` → nil, or nil and how many bytes are needed in all, or a message and how many
/// bytes it took. It looks at what has arrived in place, and cannot wait.
public struct LuaDecoder {
  let raw: clua_decoder
  public var decode: LuaRef { LuaRef(raw.decode) }
  public var refuse: LuaRef { LuaRef(raw.refuse) }

  /// - Parameters:
  ///   - refuse: `refuse(second, available, ok, message, count)` gets what the decoder must not return (ok) or has raised
  ///     (not ok: `message` is the error), and raises.
  ///   - max: the most bytes one message may take or need.
  ///   - take: removes so many bytes; whether the message may still reach the function.
  ///   - expect: the decoder need not look again before so many bytes are there.
  public init(
    decode: LuaRef, refuse: LuaRef, max: Int, take: @escaping @convention(c) (UnsafeMutableRawPointer?, Int) -> Bool,
    expect: @escaping @convention(c) (UnsafeMutableRawPointer?, Int) -> Void
  ) {
    raw = clua_decoder(decode: decode.slot, refuse: refuse.slot, max: Int64(max), take: take, expect: expect)
  }
}
