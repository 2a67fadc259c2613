import Logging
import NIOPosix
import NodeEngine

/// What carries the sockets of a run's nodes: loops of its own, two for each kind.
struct Backends: Sendable {
  enum Kind: CaseIterable { case epoll, epollWithIOLoops, nio }
  private let loops = EpollLoops(count: 2)
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

  func environment(_ kind: Kind, _ logger: Logger) -> NodeEnvironment {
    switch kind {
    case .epoll, .epollWithIOLoops: .sockets(on: loops, logger: logger)
    case .nio: .sockets(on: group, logger: logger)
    }
  }
}
