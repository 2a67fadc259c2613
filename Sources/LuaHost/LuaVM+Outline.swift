internal import CLua

/// The type of a Lua value.
package enum LuaKind: Int8, Sendable {
  case `nil`, boolean, light, number, string, table, function, userdata, thread
}

/// Names to look for in tables, ready for C; kept for the life of the process.
package struct LuaNames: @unchecked Sendable {
  package let names: [String]
  // Never changed or freed.
  fileprivate let pointers: [UnsafePointer<CChar>?]

  package init(_ names: [String]) {
    self.names = names
    pointers = names.map { name in
      let bytes = Array(name.utf8CString)
      let kept = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      kept.initialize(from: bytes, count: bytes.count)
      return UnsafePointer(kept)
    }
  }
}

/// Looking at tables without running any of the script's code.
extension LuaVM {
  /// The types of the fields of those names; nil where it is no table, has a metatable or any other key.
  package func outline(_ table: LuaRef, _ names: LuaNames) -> [LuaKind]? {
    var types = [Int8](repeating: 0, count: names.names.count)
    guard clua_outline(raw, table.slot, names.pointers, types.count, &types) else { return nil }
    return types.map { LuaKind(rawValue: $0)! }
  }

  /// The names of a table's functions, in no order; nil where it is no table, has a metatable, a key that is no UTF-8 text
  /// or anything but functions.
  package func functions(_ table: LuaRef) -> [String]? {
    var pack = clua_pack()
    defer { clua_pack_free(&pack) }
    guard clua_functions(raw, table.slot, &pack) else { return nil }
    let names = LuaPackReader.values(pack)
    let texts = names.compactMap(\.text)
    return texts.count == names.count ? texts : nil
  }

  package func hasMetatable(_ value: LuaRef, _ meta: LuaRef) -> Bool { clua_has_metatable(raw, value.slot, meta.slot) }

  /// A new table with the same fields.
  package func copy(_ table: LuaRef) throws(LuaError) -> LuaRef { try checked(clua_copy_table(raw, table.slot)) }
}
