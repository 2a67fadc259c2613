public import CoreMetrics
import Glibc
public import NIOCore
import NIOHTTP1
import NIOPosix
public import NodeCore
import Synchronization

/// Serves metrics as Prometheus text over HTTP: `GET /metrics`.
///
/// On a thread of its own, so that a scrape takes nothing from the nodes but their snapshots. Everything about a request is
/// bounded: its size, the time it takes to arrive, how many clients there are at once.
public final class MetricsServer: Sendable {
  /// Where it really serves.
  public let address: MetricsAddress
  private let channel: any Channel
  private let group: MultiThreadedEventLoopGroup

  private init(_ channel: any Channel, _ group: MultiThreadedEventLoopGroup, _ address: MetricsAddress) {
    self.channel = channel
    self.group = group
    self.address = address
  }

  /// Binds and serves until ``close()``.
  ///
  /// - Parameters:
  ///   - limits: of a request and of all of them.
  ///   - factory: where the server's own metrics go, `moonpeer_scrapes_total` and `moonpeer_scrape_duration_seconds`; nil:
  ///     the one that the process was bootstrapped with.
  ///   - families: what is served; asked for with every request.
  /// - Throws: ``AdminError`` with code `address_in_use` or `system`.
  public static func start(
    on wish: MetricsAddress, limits: MetricsServerLimits = MetricsServerLimits(), factory: (any MetricsFactory)? = nil,
    families: @escaping @Sendable () async -> [MetricFamily]
  ) async throws(AdminError) -> MetricsServer {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let gate = Gate(most: limits.clients)
    let scrapes = Scrapes(factory, families)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        guard gate.enter() else { return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        channel.closeFuture.whenComplete { _ in gate.leave() }
        return channel.eventLoop.makeCompletedFuture {
          let meter = RequestMeter()
          try channel.pipeline.syncOperations.addHandler(RequestSizeHandler(meter, limit: limits.requestBytes))
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(MetricsHandler(meter, limits, scrapes))
        }
      }
    do {
      let channel = try await bootstrap.bind(host: wish.ip.description, port: Int(wish.port)).get()
      let port = channel.localAddress?.port.flatMap { UInt16(exactly: $0) } ?? wish.port
      return MetricsServer(channel, group, MetricsAddress(ip: wish.ip, port: port))
    } catch {
      try? await group.shutdownGracefully()
      let number = (error as? IOError)?.errnoCode
      if number == EADDRINUSE {
        throw AdminError(
          code: .addressInUse,
          message: "cannot serve metrics on \(wish): the address is in use; choose another port, or 0 for any",
          cause: error)
      }
      let why = number.map { String(cString: strerror($0)) } ?? "\(error)"
      throw AdminError(code: .system, message: "cannot serve metrics on \(wish): \(why)", cause: error)
    }
  }

  /// Stops serving; requests under way are cut.
  public func close() async {
    try? await channel.close()
    try? await group.shutdownGracefully()
  }
}

/// What a metrics server allows.
public struct MetricsServerLimits: Sendable {
  /// Of a request, with its headers and what body it has.
  public var requestBytes = 16 << 10
  /// From a request's first byte to its last, and again for its response.
  public var requestTime: TimeAmount = .seconds(10)
  /// Between requests on one connection.
  public var idleTime: TimeAmount = .minutes(5)
  /// Connections at once; further ones are closed.
  public var clients = 32

  public init() {}
}

/// Counts who is in.
private final class Gate: Sendable {
  private let count = Mutex(0)
  private let most: Int
  init(most: Int) { self.most = most }

  func enter() -> Bool {
    count.withLock { count in
      guard count < most else { return false }
      count += 1
      return true
    }
  }
  func leave() { count.withLock { $0 -= 1 } }
}

/// Renders what is served, and measures how long that takes.
struct Scrapes: Sendable {
  private let families: @Sendable () async -> [MetricFamily]
  private let count: Counter
  private let duration: CoreMetrics.Timer

  init(_ factory: (any MetricsFactory)?, _ families: @escaping @Sendable () async -> [MetricFamily]) {
    self.families = families
    let factory = factory ?? MetricsSystem.factory
    count = Counter(label: "moonpeer_scrapes_total", factory: factory)
    duration = CoreMetrics.Timer(label: "moonpeer_scrape_duration_seconds", factory: factory)
  }

  func text() async -> String {
    let start = ContinuousClock.now
    let text = Exposition.text(await families())
    count.increment()
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    return text
  }
}
