import NodeCore
import NodeEngine

/// The moment at the end when all is silent: each message that was sent on a connection that lives has been handled, or the
/// receiver has counted it as dropped.
struct Settling: Sendable {
  private let world: World
  init(_ world: World) { self.world = world }

  private struct Sent: Sendable {
    var end: EndKey
    var count: Int
  }

  func settle() async {
    await world.watchdog.watch("the end", "settle", "all that was sent on living connections", bound: 60) {
      var still = await unsettled()
      while let one = still {
        world.verdict.begin(epoch: -1, "settling: \(one)")
        try? await Task.sleep(for: .milliseconds(5))
        still = await unsettled()
      }
    }
  }

  /// What is not yet as it should be; nil: all is.
  private func unsettled() async -> String? {
    let nodes = world.nodes
    var sent: [EndKey: Int] = [:]
    for node in nodes {
      for info in await node.node.connections() {
        guard let statistics = await node.node.statistics(of: info.id) else { continue }
        sent[EndKey(node: node.key, connection: info.id.rawValue)] = Int(statistics.messagesSent)
      }
    }
    for node in nodes {
      var missing = 0
      for (id, end) in node.record.ends {
        let own = EndKey(node: node.key, connection: id)
        // A stranger's connection, which says no more.
        guard let peer = end.peer, peer.node != 0 else { continue }
        guard sent[own] != nil, let count = sent[peer] else { return "\(own) and \(peer) are not both there" }
        if end.handled > count { return "\(own) has handled \(end.handled) messages of \(count) that \(peer) has sent" }
        missing += count - end.handled
        if count != end.handled, !node.record.drops { return "\(own) has handled \(end.handled) of \(count) messages of \(peer)" }
      }
      let dropped = await node.node.heuristics().droppedMessages
      if missing > dropped { return "\(missing) messages to \(node.description) are missing, and it has dropped \(dropped)" }
    }
    return nil
  }
}
