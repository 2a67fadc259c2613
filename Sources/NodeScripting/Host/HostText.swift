import LuaHost
import NodeCore

/// `host.text`: what a person writes, read the same way everywhere: durations, sizes, the nearest name.
enum HostText {
  static let natives: [(String, LuaNative)] = [("duration", duration), ("size", size), ("nearest", nearest), ("place", place)]

  /// duration(value, what) → seconds
  private static let duration: LuaNative = { state in
    let call = LuaCall(state)
    let what = call.string(2) ?? "duration"
    do {
      let value: Duration
      if let text = call.string(1) {
        value = try DurationText.parse(text)
      } else if let seconds = call.number(1) {
        value = try DurationText.parse(seconds: seconds)
      } else {
        return call.raise(
          "usage", "\(what): a duration is seconds as a number or text such as \"250ms\", got \(call.typeName(1))")
      }
      let (seconds, attoseconds) = value.components
      return call.returns { $0.number(Double(seconds) + Double(attoseconds) / 1e18) }
    } catch {
      return call.raise("usage", "\(what): \(error)")
    }
  }

  /// size(value, what) → bytes
  private static let size: LuaNative = { state in
    let call = LuaCall(state)
    let what = call.string(2) ?? "size"
    do {
      if let text = call.string(1) {
        let bytes = try SizeText.parse(text)
        return call.returns { $0.integer(Int64(bytes)) }
      }
      guard let bytes = call.integer(1) else {
        return call.raise(
          "usage", "\(what): a size is a whole number of bytes or text such as \"64KiB\", got \(call.typeName(1))")
      }
      guard bytes >= 0 else { return call.raise("usage", "\(what): a size cannot be negative, got \(bytes)") }
      return call.returns { $0.integer(bytes) }
    } catch {
      return call.raise("usage", "\(what): \(error)")
    }
  }

  /// place(function) → `file:line` where the script has written it, or nil
  private static let place: LuaNative = { state in
    let call = LuaCall(state)
    let place = call.place(1)
    return call.returns { pack in
      if let place { pack.string(place) } else { pack.nil() }
    }
  }

  /// nearest(word, list) → the name in the list that was probably meant, or nil
  private static let nearest: LuaNative = { state in
    let call = LuaCall(state)
    guard let word = call.string(1), let names = (try? call.plain(2))?.table?.array.compactMap(\.text),
      let name = NearestName.suggestion(for: word, among: names)
    else { return call.returns { $0.nil() } }
    return call.returns { $0.string(name) }
  }
}
