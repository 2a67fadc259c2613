import Glibc
import Synchronization

/// A loop that carries sockets of nodes which live on other loops.
final class IOLoop: Sendable {
  let loop: EpollLoop
  /// How many streams it carries, of all nodes.
  let streams = Atomic(0)

  init(_ loop: EpollLoop) { self.loop = loop }
}

/// The I/O loops of one node: some of those that the process has. They hold no nodes, so no script keeps them from their sockets.
struct IOLoops: Sendable {
  let loops: [IOLoop]

  /// Takes those whose turn it is. They are started when they are first needed, and never end.
  ///
  /// - Parameter count: at least 1.
  /// - Throws: code `system` where there are no descriptors or threads left.
  init(_ count: Int) throws(NodeError) {
    loops = try Self.made.withLock { made throws(NodeError) in
      // Nodes share them once each core has one.
      let ring = max(count, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
      return try (0..<count).map { _ throws(NodeError) in
        let place = made.turn % ring
        made.turn += 1
        while made.loops.count <= place {
          made.loops.append(IOLoop(try EpollLoop(name: "moonpeer-io-\(made.loops.count + 1)", lingering: .shared)))
        }
        return made.loops[place]
      }
    }
  }

  /// Those of somebody else, who ends them.
  init(of loops: [EpollLoop]) { self.loops = loops.map(IOLoop.init) }

  private static let made = Mutex<(loops: [IOLoop], turn: Int)>(([], 0))

  /// The one with the fewest streams.
  func next() -> IOLoop { loops.min { $0.streams.load(ordering: .relaxed) < $1.streams.load(ordering: .relaxed) }! }
}
