import LuaHost
import Synchronization

/// Scripts compiled before: where many nodes of a process run the same text, only the first two of them parse it.
///
/// Only text that Lua has compiled in this process is kept, under its whole text and name, so that what comes back is what
/// compiling it again would give, lines and names included.
enum CompiledScripts {
  private struct Seen {
    let name: String
    let text: [UInt8]
    /// nil until it is seen again: most texts are loaded once in a process.
    var compiled: [UInt8]?

    func isOf(_ name: String, _ text: [UInt8]) -> Bool { self.text.count == text.count && self.name == name && self.text == text }
  }

  /// The oldest first.
  private static let seen = Mutex<[Seen]>([])
  /// What is kept at most: texts, and bytes of one of them.
  private static let limit = 32
  private static let longest = 64 << 10

  static func load(_ text: [UInt8], chunkName: String, in vm: LuaVM) throws(LuaError) -> LuaRef {
    func compile() throws(LuaError) -> LuaRef {
      try text.withUnsafeBytes { buffer in
        Result { () throws(LuaError) in try vm.load(buffer, chunkName: chunkName) }
      }.get()
    }
    guard text.count <= longest else { return try compile() }
    let known = seen.withLock { seen in seen.first { $0.isOf(chunkName, text) } }
    if let compiled = known?.compiled { return try vm.load(compiled: compiled, chunkName: chunkName) }
    let chunk = try compile()
    // Where there is no memory for it, it is compiled again next time.
    let compiled = known == nil ? nil : try? vm.dump(chunk)
    seen.withLock { seen in
      if let place = seen.firstIndex(where: { $0.isOf(chunkName, text) }) {
        if let compiled { seen[place].compiled = compiled }
        return
      }
      if seen.count == limit { seen.removeFirst() }
      seen.append(Seen(name: chunkName, text: text, compiled: compiled))
    }
    return chunk
  }
}
