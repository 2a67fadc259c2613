import LuaHost

/// The Lua functions between a script and the engine's hooks; see `glue.lua`.
struct Glue {
  let makeHandle: LuaRef
  let prepare: LuaRef
  let handshake: LuaRef
  let call: LuaRef
  let evaluate: LuaRef
  let held: LuaRef
  let drain: LuaRef
  let closed: LuaRef
}

extension Glue {
  /// Calling any of them raises.
  static let none = Glue(
    makeHandle: .none, prepare: .none, handshake: .none, call: .none, evaluate: .none, held: .none,
    drain: .none, closed: .none)

  /// - Throws: where there is no memory for the chunk.
  init(_ runtime: ScriptRuntime) throws(LuaError) {
    let table = try runtime.chunk("glue")
    defer { runtime.vm.release(table) }
    func function(_ name: String) -> LuaRef { runtime.vm.field(table, name) ?? .none }
    self.init(
      makeHandle: function("make_handle"), prepare: function("prepare"), handshake: function("handshake"),
      call: function("call"), evaluate: function("evaluate"), held: function("held"),
      drain: function("drain"), closed: function("closed"))
  }
}
