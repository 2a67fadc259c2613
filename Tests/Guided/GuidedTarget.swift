import FuzzSupport
import Glibc
import GuidedCoverage

@testable import LuaHost

/// The targets of the tests, by the names that Tests/fuzz/guided knows.
enum GuidedTarget {
  static let names = [
    "framing", "decoder", "view", "pattern", "value", "address", "configuration", "console", "capture", "codec", "encoder",
  ]

  /// nil: there is none of that name.
  static func named(_ name: String) throws -> FuzzTarget? {
    switch name {
    case "framing": FramingTarget.target
    case "decoder": try DecoderTarget.target()
    case "view": try ViewTarget.target()
    case "pattern": try PatternTarget.target()
    case "value": try ValueTarget.target()
    case "address": TextTargets.address
    case "configuration": TextTargets.configuration
    case "console": AdminTargets.line
    case "capture": CaptureTarget.target
    case "codec": joined("codec", try CodecTargets.names.map { try CodecTargets.decoding($0, cover) })
    case "encoder": joined("encoder", try CodecTargets.encoders.map { try CodecTargets.encoding($0, cover) })
    default: nil
    }
  }

  /// With lines of Lua as code that is reached.
  private static func cover(_ vm: LuaVM) { guided_cover(UnsafeMutableRawPointer(vm.raw)) }

  /// One input for many targets: its first byte says which.
  private static func joined(_ name: String, _ parts: [FuzzTarget]) -> FuzzTarget {
    let seeds = parts.enumerated().flatMap { index, part in
      (part.seeds + part.corpus).map { [UInt8(index)] + $0 }
    }
    return FuzzTarget(name, count: 0, seeds: seeds) { input in
      guard let first = input.first else { return nil }
      let part = parts[Int(first) % parts.count]
      return try part.check(Array(input.dropFirst())).map { "\(part.name): \($0)" }
    }
  }

  /// Set before libFuzzer runs, on the one thread there is: its driver wants a function without a context.
  nonisolated(unsafe) static var chosen: FuzzTarget?

  static func check(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let chosen else { return 0 }
    let problem: String
    do {
      guard let found = try chosen.check(Array(UnsafeBufferPointer(start: bytes, count: count))) else { return 0 }
      problem = found
    } catch {
      problem = "\(error)"
    }
    let line = Array("PROBLEM \(chosen.name): \(problem)\n".utf8)
    write(STDERR_FILENO, line, line.count)
    abort()
  }
}
