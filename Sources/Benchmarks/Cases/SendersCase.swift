import LuaHost
import NodeCore
import NodeEngine
import NodeScripting

/// Many senders of 32 KiB messages into one node.
enum SendersCase {
  static let cases: [Case] = [10, 100].flatMap { count in
    [0, 2].map { ioLoops in
      let parameters = Parameters(size: 32768, connections: count, nodes: count + 1, loops: 4, ioLoops: ioLoops)
      return Case(
        name: ioLoops == 0 ? "senders-\(count)" : "senders-\(count)-io-\(ioLoops)",
        summary: "\(count) senders × 32 KiB into one node\(ioLoops == 0 ? "" : " with io_loops = \(ioLoops)")", unit: .bytes,
        parameters: parameters, body: body, rawloop: ["stream", "32768", "\(count)"])
    }
  }

  static func body(_ parameters: Parameters) async throws -> Measurement {
    let nodes = Nodes(parameters)
    let receiver = try await nodes.lua(StreamCase.receiver, ioLoops: parameters.ioLoops ?? 0)
    let address = LuaValue("\(await receiver.node.address!)")
    var senders: [ScriptedNode] = []
    for _ in 0..<parameters.connections { senders.append(try await nodes.lua(StreamCase.sender, listens: false)) }
    let start = Machine.seconds
    let sent = try await withThrowingTaskGroup(of: Int64.self) { tasks in
      for sender in senders {
        tasks.addTask {
          try await sender.call("stream", [address, .integer(Int64(parameters.size)), .number(parameters.seconds)]).first?.int
            ?? 0
        }
      }
      return try await tasks.reduce(0, +)
    }
    try await until("every message") { try await receiver.call("count").first?.int == sent }
    let elapsed = Machine.seconds - start
    return Measurement(
      value: Double(sent) * Double(parameters.size + 4) / elapsed, more: ["messages_per_s": Double(sent) / elapsed],
      checked: Int(sent))
  }
}
