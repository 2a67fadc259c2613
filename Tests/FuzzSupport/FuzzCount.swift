import Foundation

/// How many inputs there were, a line each time in the file that `MOONPEER_FUZZ_COUNTS` names: Tests/fuzz/run adds them up.
enum FuzzCount {
  static func add(_ target: String, _ count: Int) {
    guard let path = ProcessInfo.processInfo.environment["MOONPEER_FUZZ_COUNTS"], let file = fopen(path, "a") else { return }
    // One line, written at once: other targets append to the file at the same time.
    fputs("\(count) \(target)\n", file)
    fclose(file)
  }
}
