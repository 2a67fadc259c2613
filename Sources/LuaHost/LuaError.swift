internal import CLua

/// An error that Lua code raised, or that loading it met.
public struct LuaError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// The source text is not Lua.
    case syntax
    /// Raised by the code.
    case runtime
    /// Over its time in one uninterrupted run; could not be caught.
    case time
    /// Over its memory; could not be caught.
    case memory
    /// A value of a kind that cannot be handed over.
    case type
  }

  public var kind: Kind
  /// With `file:line: ` in front where Lua knows it.
  public var message: String
  public var traceback: String?
  /// `file:line` of the author's line it was raised at, or that a budget ended, whatever the message says; nil where
  /// there is none.
  public var location: String?
  /// The error value where it is plain data other than a text.
  public var value: LuaValue?

  public init(kind: Kind, message: String, traceback: String? = nil, value: LuaValue? = nil) {
    self.kind = kind
    self.message = message
    self.traceback = traceback
    self.value = value
  }

  public var description: String { message }
}

extension LuaError {
  /// The failure a VM has just met, and the registry reference of its value.
  static func taken(from vm: OpaquePointer) -> (error: LuaError, ref: LuaRef) {
    let failure = clua_failure_of(vm)!
    let kind: Kind
    switch failure.pointee.kind {
    case CLUA_FAIL_SYNTAX: kind = .syntax
    case CLUA_FAIL_TIME: kind = .time
    case CLUA_FAIL_MEMORY: kind = .memory
    default: kind = .runtime
    }
    let traceback = failure.pointee.traceback.text
    let place = withUnsafeBytes(of: failure.pointee.place) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let value = failure.pointee.value.count > 0 ? LuaPackReader.values(failure.pointee.value).first : nil
    let ref = LuaRef(failure.pointee.ref)
    failure.pointee.ref = 0
    var error = LuaError(
      kind: kind, message: failure.pointee.message.text, traceback: traceback.isEmpty ? nil : traceback,
      value: value?.bytes == nil ? value : nil)
    // C writes it as messages have it, with ": " at its end.
    error.location = place.isEmpty ? nil : String(place.dropLast(2))
    return (error, ref)
  }
}

extension clua_pack {
  var text: String { String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self) }
}

extension LuaError {
  /// What C wrote into the buffer it was given, where it answered false.
  static func problem(_ body: (UnsafeMutablePointer<CChar>, Int) -> Bool) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 320) { buffer in
      buffer.initialize(repeating: 0)
      let start = buffer.baseAddress!
      return body(start, buffer.count) ? nil : String(cString: start)
    }
  }
}
