import NodeCore

/// A socket option that scripts may set, by its name.
struct StreamOption {
  enum Name: String, CaseIterable {
    case nodelay, keepalive
    case sendBuffer = "send_buffer"
    case receiveBuffer = "receive_buffer"
  }

  let name: Name
  /// 0 or 1, or bytes.
  let amount: Int32

  /// - Throws: code `configuration` for another name or a wrong value.
  init(_ text: String, _ value: ConfigurationValue) throws(NodeError) {
    let names = Name.allCases.map(\.rawValue)
    guard let name = Name(rawValue: text) else {
      let hint = NearestName.hint(for: text, among: names)
      throw NodeError(
        code: .configuration, message: "set_option: there is no option \"\(text)\"\(hint) (\(names.joined(separator: ", ")))")
    }
    switch value {
    case .boolean(let flag): amount = flag ? 1 : 0
    case .integer(let number) where number >= 0 && number <= Int64(Int32.max): amount = Int32(number)
    default: throw NodeError(code: .configuration, message: "set_option: \(text) takes true, false or a size in bytes")
    }
    self.name = name
  }
}

extension NodeError {
  static func refusedOption(_ name: String, _ error: any Error) -> NodeError {
    NodeError(code: .system, message: "set_option: \(name) was refused by the system: \(error)", cause: error)
  }
}
