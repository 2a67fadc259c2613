public import Logging
public import NIOCore
import NIOPosix

/// The world a node lives in.
public struct NodeEnvironment: Sendable {
  /// Time and order: the loop the node lives on.
  public var scheduler: any Scheduler
  /// Where its streams come from.
  public var transport: any Transport
  /// Gets the node's log lines, with its name added.
  public var logger: Logger
  /// Sees what the nodes' connections exchange; nil: nobody does.
  public var tap: (any TrafficTap)?

  /// A world of its own; for real sockets see ``sockets(_:logger:)``.
  public init(scheduler: any Scheduler, transport: any Transport, logger: Logger) {
    self.scheduler = scheduler
    self.transport = transport
    self.logger = logger
  }

  /// Real sockets, on one of the process's loops.
  public static func sockets(
    _ backend: SocketBackend = .standard, logger: Logger = Logger(label: "moonpeer")
  ) -> NodeEnvironment {
    switch backend {
    case .nio: sockets(on: nil, logger: logger)
    case .epoll: sockets(on: EpollLoops.shared, logger: logger)
    }
  }

  /// Real sockets over SwiftNIO, for programs that have its loops anyway: on one of the group (nil: NIO's own for the process).
  public static func sockets(
    on group: (any EventLoopGroup)?, logger: Logger = Logger(label: "moonpeer")
  ) -> NodeEnvironment {
    let loop = (group ?? MultiThreadedEventLoopGroup.singleton).next()
    return NodeEnvironment(scheduler: LoopScheduler(loop), transport: SocketTransport(), logger: logger)
  }

  /// Real sockets over epoll, on one of these loops.
  public static func sockets(on loops: EpollLoops, logger: Logger = Logger(label: "moonpeer")) -> NodeEnvironment {
    NodeEnvironment(scheduler: loops.next(), transport: EpollTransport(), logger: logger)
  }
}
