import ArgumentParser
import Glibc

struct NewCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Make a folder with a script and a scenario to start from.",
    discussion: """
      Nothing is overwritten: where something of that name exists already, nothing is made.

      Examples:
        moonpeer new ping          ping/ping.lua and ping/scenario.lua
        moonpeer test ping
      """)

  @Argument(help: "The folder's name, or a path that ends in it.")
  var name: String

  func run() async throws {
    let folder = name.count > 1 && name.hasSuffix("/") ? String(name.dropLast()) : name
    let base = folder.split(separator: "/").last.map(String.init) ?? ""
    guard Self.isName(base) else {
      throw CommandFailure(
        .usage, "\"\(Printable.text(name))\" is no name for a script; use letters, digits, - and _, beginning with a letter")
    }
    // mkdir refuses what exists, in one step.
    guard mkdir(folder, 0o777) == 0 else {
      if errno == EEXIST { throw CommandFailure(.cannotCreate, "\"\(folder)\" exists already; choose another name") }
      throw CommandFailure.cannotCreate(folder, errno)
    }
    for (file, text) in Starter(name: base).files {
      let path = folder + "/" + file
      let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw CommandFailure.cannotCreate(path, errno) }
      defer { close(descriptor) }
      do throws(CommandFailure) {
        try Output(descriptor: descriptor, name: path).write(text)
      } catch {
        throw CommandFailure(.cannotCreate, error.message)
      }
    }
    try Output.standard.write(
      """
      made \(folder)/\(base).lua and \(folder)/scenario.lua; next:
        moonpeer test \(folder)
        moonpeer run \(folder)/\(base).lua

      """)
  }

  static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 48 else { return false }
    func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 32) }
    return isLetter(first) && text.utf8.allSatisfy { isLetter($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 }
  }
}
