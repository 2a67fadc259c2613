import Foundation
import LuaHost
import NodeEngine

/// What the figures were taken on, and what this process has used.
enum Machine {
  static var date: String { ISO8601DateFormatter.string(from: Date(), timeZone: .gmt, formatOptions: .withFullDate) }

  static var architecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "arm64"
    #else
      "another"
    #endif
  }

  static var description: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last.map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    return "\(model ?? "an unknown processor"), \(ProcessInfo.processInfo.activeProcessorCount) cores, \(kernel), "
      + "\(SocketRing.isAvailable ? "" : "no ")io_uring, \(swiftVersion), \(LuaVM.version)"
  }

  private static var kernel: String {
    var name = utsname()
    uname(&name)
    func text<T>(_ field: T) -> String {
      withUnsafeBytes(of: field) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return "\(text(name.sysname)) \(text(name.release))"
  }

  /// Of the toolchain that is installed: what built this, unless that was elsewhere.
  private static var swiftVersion: String {
    let words = (try? Subprocess.output("/usr/bin/env", ["swift", "--version"]))?.split(whereSeparator: \.isWhitespace) ?? []
    let version = words.firstIndex(of: "version").map { words[min($0 + 1, words.count - 1)] }
    return "Swift \(version.map(String.init) ?? "of an unknown version")"
  }

  /// The load average of the last minute.
  static var load: String {
    let words = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))?.split(separator: " ") ?? []
    return words.first.map(String.init) ?? "unknown"
  }

  static var cpuSeconds: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
  }

  /// Bytes resident now, and at most so far.
  static var memory: Int { status("VmRSS:") }
  static var peakMemory: Int { status("VmHWM:") }

  private static func status(_ key: String) -> Int {
    let lines = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n") ?? []
    let words = lines.first { $0.hasPrefix(key) }?.split(whereSeparator: \.isWhitespace)
    return (words.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * 1024
  }

  static var seconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// As many descriptors as are allowed; how many that is.
  @discardableResult
  static func raiseDescriptorLimit() -> Int { DescriptorLimit.raise().current }

  /// Whether this process, and the one that dials it, may have so many; where not, says so on standard error.
  static func hasDescriptors(_ count: Int, for what: String) -> Bool {
    guard let shortage = DescriptorLimit.raise().shortage(of: count) else { return true }
    FileHandle.standardError.write(Data("moonpeer-bench: \(what): \(shortage)\n".utf8))
    return false
  }
}
