internal import CLua

/// What is called with each message: `function(first, second, message)`.
public struct LuaReceiver {
  let raw: clua_receiver

  /// - Parameters:
  ///   - second: may carry an object of that tag, as ``LuaCall/object(_:_:)`` finds it. Natives that are called with it get
  ///     `pointer` without looking, until an object's pointer is changed (``LuaObject/setPointer(_:)``).
  ///   - pointer: what the object points to now; nil where there is none.
  @inline(__always)
  public init(
    _ function: LuaRef, _ first: LuaRef, _ second: LuaRef, tag: UInt32 = 0, pointer: UnsafeMutableRawPointer? = nil
  ) {
    raw = clua_receiver(function: function.slot, first: first.slot, second: second.slot, tag: tag, pointer: pointer)
  }
}
