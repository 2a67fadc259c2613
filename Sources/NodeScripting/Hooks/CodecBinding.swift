import LuaHost
import NodeEngine

/// How messages pass between the engine and the script's Lua, by a codec: what `glue.lua` says of it. A script that has one
/// codec for all connections has one of these.
final class CodecBinding {
  let framing: Framing?
  /// The binding's dispatch loop, where Lua stands between the socket and the hook.
  let loop: LuaRef?
  /// Frames go to `process_message` without passing through Lua first.
  let isDirect: Bool
  /// The script's own decoder, where the engine calls it without passing through the binding.
  let decoder: LuaDecoder?
  private let vm: LuaVM

  init(_ vm: LuaVM, framing: Framing?, loop: LuaRef?, isDirect: Bool, decoder: LuaDecoder?) {
    self.vm = vm
    self.framing = framing
    self.loop = loop
    self.isDirect = isDirect
    self.decoder = decoder
  }

  deinit {
    if let loop { vm.release(loop) }
    guard let decoder else { return }
    vm.release(decoder.decode)
    vm.release(decoder.refuse)
  }
}
