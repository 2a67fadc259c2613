import LuaHost
import NodeCore

/// What the calls between scripts take of one node. Belongs to its loop.
final class CallAccount {
  /// Those it has asked of others.
  var asked = Side()
  /// Those that others have asked of it.
  var answered = Side()

  struct Side {
    private(set) var count = 0
    /// Of arguments until their call has ended, and of results until they have arrived.
    private(set) var bytes = 0

    mutating func begin(_ bytes: Int) {
      count += 1
      self.bytes += bytes
    }

    mutating func end(_ bytes: Int) {
      count -= 1
      self.bytes -= bytes
    }

    /// Results stand outside both scripts until their caller has them.
    mutating func hold(_ bytes: Int) { self.bytes += bytes }
    mutating func letGo(_ bytes: Int) { self.bytes -= bytes }
  }

  /// Calls that wait for each other: one that comes back to where it began would go on until memory ends.
  static let deepest: UInt8 = 32

  /// What the calls of a node may hold outside of its script together; nil: no bound, as its memory has none.
  static func room(_ configuration: NodeConfiguration) -> Int? {
    configuration.scriptMemory == 0 ? nil : configuration.scriptMemory / 4
  }
}

extension CallAccount.Side {
  /// Why one call more is not taken; nil: it is.
  func refusal(_ whose: String, adding more: Int, _ configuration: NodeConfiguration) -> ScriptError? {
    guard count < configuration.maxCalls else {
      return .refusedCall(
        kind: "full", "\(count) calls \(whose) are under way, as many as its max_calls allows; try again when some have ended")
    }
    return refusal(ofBytes: more, "the arguments of calls \(whose)", configuration)
  }

  /// Why so many bytes more are not held; nil: they are.
  func refusal(ofBytes more: Int, _ what: String, _ configuration: NodeConfiguration) -> ScriptError? {
    refusal(ofBytes: more, what, room: CallAccount.room(configuration))
  }

  /// The same; without room there is no bound.
  func refusal(ofBytes more: Int, _ what: String, room: Int?) -> ScriptError? {
    guard let room, bytes + more > room else { return nil }
    let bound = "a quarter of its script_memory (\(room) bytes)"
    guard more <= room else {
      return .refusedCall(kind: "too_large", "\(more) bytes are more than \(what) may have: \(bound)")
    }
    return .refusedCall(
      kind: "full", "\(more) bytes more, beside \(bytes), are more than \(what) may have together: \(bound); try again later")
  }
}

extension ScriptError {
  static func refusedCall(kind: String, _ message: String) -> ScriptError {
    ScriptError(code: .script, kind: kind, message: "node:call: \(message)")
  }
}

extension [LuaValue] {
  /// About what they take in Lua.
  var footprint: Int { reduce(0) { $0 + $1.footprint } }
}

extension LuaValue {
  fileprivate var footprint: Int {
    switch self {
    case .nil, .boolean, .integer, .number: 16
    case .string(let text): 40 + text.bytes.count
    case .table(let table):
      56 + table.array.footprint
        + table.fields.reduce(0) { $0 + $1.key.footprint + $1.value.footprint }
    }
  }
}
