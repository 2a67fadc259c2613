internal import CLua

/// A Swift function that Lua code can call: gets the Lua thread, answers with a verdict of ``LuaCall``.
public typealias LuaNative = @convention(c) (OpaquePointer?) -> Int32

/// One call of a native: its arguments and its answer. Nothing here raises: C pushes, raises or yields only after the
/// native has returned, when no Swift frame is left to jump over.
public struct LuaCall {
  let state: OpaquePointer

  @inline(__always)
  public init(_ state: OpaquePointer?) {
    self.state = state.unsafelyUnwrapped
  }

  /// What was given to ``LuaVM/init(limits:libraries:context:)``.
  public var context: UnsafeMutableRawPointer? { clua_context(state) }

  // Arguments, counted from 1. Each reader is nil for an argument of another type.

  public var argumentCount: Int { Int(clua_top(state)) }
  public func bytes(_ index: Int32) -> UnsafeRawBufferPointer? {
    var count = 0
    guard let start = clua_bytes(state, index, &count) else { return nil }
    return UnsafeRawBufferPointer(start: start, count: count)
  }
  public func string(_ index: Int32) -> String? { bytes(index).map { String(decoding: $0, as: UTF8.self) } }
  public func integer(_ index: Int32) -> Int64? {
    var value: Int64 = 0
    return clua_integer(state, index, &value) ? value : nil
  }
  public func number(_ index: Int32) -> Double? {
    var value = 0.0
    return clua_number(state, index, &value) ? value : nil
  }
  public func boolean(_ index: Int32) -> Bool? {
    clua_type(state, index) == CLUA_TBOOLEAN.rawValue ? clua_boolean(state, index) : nil
  }
  public func isNil(_ index: Int32) -> Bool { clua_type(state, index) <= CLUA_TNIL.rawValue }
  public func isTable(_ index: Int32) -> Bool { clua_type(state, index) == CLUA_TTABLE.rawValue }
  public func isFunction(_ index: Int32) -> Bool { clua_type(state, index) == CLUA_TFUNCTION.rawValue }
  public func typeName(_ index: Int32) -> String { String(cString: clua_type_name(state, index)) }

  /// What an object made with that tag points to; the object itself or a table that carries it at `[1]`.
  public func object(_ index: Int32, _ tag: UInt32) -> UnsafeMutableRawPointer? { clua_object(state, index, tag) }

  /// The object at 1 and the bytes at 2; nil where either is something else.
  public func objectAndBytes(_ tag: UInt32) -> (UnsafeMutableRawPointer, UnsafeRawBufferPointer)? {
    var pointer: UnsafeMutableRawPointer?
    var start: UnsafePointer<CChar>?
    var count = 0
    guard clua_object_and_bytes(state, tag, &pointer, &start, &count) else { return nil }
    return (pointer.unsafelyUnwrapped, UnsafeRawBufferPointer(start: start, count: count))
  }

  /// The argument as a registry reference; nil when the VM has no memory for one. A nil needs no slot: its reference is
  /// below zero, arrives as nil and has nothing to release.
  public func ref(_ index: Int32) -> LuaRef? {
    let ref = clua_ref_of(state, index)
    return ref != 0 ? LuaRef(ref) : nil
  }

  /// `file:line` where the function is written; nil for one that is no script's.
  public func place(_ index: Int32) -> String? {
    var buffer = [CChar](repeating: 0, count: 200)
    let count = clua_written_at(state, index, &buffer, buffer.count)
    return count == 0 ? nil : String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The argument as plain data.
  ///
  /// - Throws: kind `type`, with the path to what cannot be handed over.
  public func plain(_ index: Int32) throws(LuaError) -> LuaValue {
    var pack = clua_pack()
    defer { clua_pack_free(&pack) }
    if let problem = LuaError.problem({ clua_pack_value(state, index, &pack, $0, $1) }) {
      throw LuaError(kind: .type, message: problem)
    }
    return LuaPackReader.values(pack).first ?? .nil
  }

  /// Whether the caller can wait here: not inside a C function such as a sort comparator, and only in a run.
  public var canPark: Bool { clua_can_park(state) }

  // Verdicts

  public func none() -> Int32 { Int32(CLUA_NONE.rawValue) }
  public func returnTrue() -> Int32 { Int32(CLUA_TRUE.rawValue) }
  public func park() -> Int32 { Int32(CLUA_PARK.rawValue) }

  /// One string; its bytes are copied at once.
  public func returnBytes(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    clua_return_bytes(state, bytes.baseAddress, bytes.count)
    return Int32(CLUA_RETURN_BYTES.rawValue)
  }

  public func returns(_ write: (inout LuaPack) -> Void) -> Int32 {
    outgoing(write)
    return Int32(CLUA_RETURN.rawValue)
  }

  private func outgoing(_ write: (inout LuaPack) -> Void) {
    var raw = clua_take_outgoing(state)
    withUnsafeMutablePointer(to: &raw) { pointer in
      var pack = LuaPack(pointer)
      write(&pack)
    }
    clua_put_outgoing(state, raw)
  }

  /// Raises an error table whose message starts with the place of the Lua code that called.
  public func blame(_ kind: String, _ message: String) -> Int32 {
    var buffer = [CChar](repeating: 0, count: 200)
    let count = clua_where(state, 1, &buffer, buffer.count)
    let place = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return raiseTable(kind, place + message)
  }

  /// Raises an error table. One of kind `usage` is the caller's mistake and says where it was made.
  public func raise(_ kind: String, _ message: String) -> Int32 {
    kind == "usage" ? blame(kind, message) : raiseTable(kind, message)
  }

  private func raiseTable(_ kind: String, _ message: String) -> Int32 {
    outgoing { $0.error(LuaError(kind: .runtime, message: message, value: ["kind": LuaValue(kind)])) }
    return Int32(CLUA_RAISE.rawValue)
  }
}
