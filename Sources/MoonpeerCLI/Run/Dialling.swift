import Logging
import NodeCore
import NodeEngine
import NodeScripting

/// The dials of `--connect`: every node to every address, with bounded retries.
struct Dialling: Sendable {
  let peers: [PeerAddress]
  let schedule: RetrySchedule
  let logger: Logger

  /// The names of the nodes that reached none of the addresses.
  func run(_ nodes: [ScriptedNode]) async -> [String] {
    guard !peers.isEmpty else { return [] }
    return await withTaskGroup(of: (Int, Bool).self) { dials in
      for (index, node) in nodes.enumerated() {
        for peer in peers { dials.addTask { (index, await reach(peer, from: node)) } }
      }
      var reached = Array(repeating: false, count: nodes.count)
      for await (index, hasReached) in dials where hasReached { reached[index] = true }
      return zip(nodes, reached).filter { !$1 }.map { node, _ in node.name }
    }
  }

  private func reach(_ peer: PeerAddress, from node: ScriptedNode) async -> Bool {
    var logger = logger
    logger[metadataKey: "node"] = "\(node.name)"
    var attempt = 1
    while !Task.isCancelled {
      let problem: NodeError
      do throws(NodeError) {
        _ = try await node.node.connect(to: peer)
        logger.info("connected to \(peer)")
        return true
      } catch {
        // The script got there first.
        if error.code == .duplicate { return true }
        problem = error
      }
      let count = "attempt \(attempt) of \(schedule.attempts)"
      guard RetrySchedule.isWorthwhile(after: problem.code), let delay = schedule.delay(after: attempt) else {
        if !Task.isCancelled, problem.code != .shutdown {
          logger.error("gave up on \(peer): \(problem)", metadata: ["attempts": "\(attempt)"])
        }
        return false
      }
      logger.warning("no connection to \(peer) yet: \(problem)", metadata: ["next": "in \(delay)", "tried": "\(count)"])
      try? await Task.sleep(for: delay)
      attempt += 1
    }
    return false
  }
}
