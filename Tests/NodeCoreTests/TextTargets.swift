import FuzzSupport

@testable import NodeCore

/// What people and peers write: addresses, sizes, durations, whole configurations.
enum TextTargets {
  /// An address that is read is written as the same address.
  static var address: FuzzTarget {
    FuzzTarget(
      "address", count: 20_000,
      seeds: [
        "127.0.0.1:4000", "[::1]:4000", "[fe80::1%eth0]:65535", "[::ffff:1.2.3.4]:1", "host.name:4000", "unix:/run/a.sock",
        "localhost:0", "255.255.255.255:65536", "[1:2:3:4:5:6:7:8]:9", "a\u{301}.example:80",
      ].map { Array($0.utf8) }
    ) { input in
      let text = String(decoding: input, as: UTF8.self)
      guard let address = try? PeerAddress(parsing: text) else { return nil }
      guard let again = try? PeerAddress(parsing: "\(address)") else { return "\(address) is written and not read" }
      return again == address ? nil : "\(address) became \(again)"
    }
  }

  /// A configuration takes a value as it gives it, or refuses it by its key.
  static var configuration: FuzzTarget {
    FuzzTarget(
      "configuration", count: 10_000,
      seeds: NodeConfiguration.keys.indices.flatMap { index -> [[UInt8]] in
        ["1", "0", "10s", "250ms", "64KiB", "1GiB", "true", "drop", "none", "-1", "127.0.0.1:0", "99999999999999999999s"].map {
          [UInt8(index), 0] + Array($0.utf8)
        }
      }
    ) { input in
      guard input.count > 2 else { return nil }
      let key = NodeConfiguration.keys[Int(input[0]) % NodeConfiguration.keys.count]
      let text = String(decoding: input[2...], as: UTF8.self)
      let value: ConfigurationValue =
        switch input[1] % 4 {
        case 0: .string(text)
        case 1: .integer(Int64(text) ?? Int64(bitPattern: UInt64(text.utf8.count) << UInt64(input[1] % 64)))
        case 2: .number(Double(text) ?? .nan)
        default: .list([text, text])
        }
      var configuration = NodeConfiguration()
      do throws(NodeCoreError) {
        try configuration.set(key.name, to: value)
      } catch {
        return "\(error)".contains(key.name) ? nil : "\(error) does not name \(key.name)"
      }
      // As a reload does with what stays in force.
      guard let given = key.value(of: configuration) else { return nil }
      var again = NodeConfiguration()
      do throws(NodeCoreError) {
        try again.set(key.name, to: given)
      } catch {
        return "\(key.name) = \(value) gives \(given), which is refused: \(error)"
      }
      return key.value(of: again) == given ? nil : "\(key.name) = \(given) became \(String(describing: key.value(of: again)))"
    }
  }
}
