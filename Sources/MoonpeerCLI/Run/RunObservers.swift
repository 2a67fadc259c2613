import CoreMetrics
import Glibc
import Logging
import NodeAdmin
import NodeEngine
import NodeScripting

/// What looks at the nodes of one `moonpeer run` from outside: `--metrics` and `--capture`.
struct RunObservers {
  private let address: MetricsAddress?
  private let capturePath: String?
  private let logger: Logger
  private(set) var capture: PacketCapture?
  private var server: MetricsServer?

  /// Only looks at what was written; nothing is opened yet.
  ///
  /// - Throws: status `usage`.
  init(metrics: String?, capture: String?, logger: Logger) throws(CommandFailure) {
    do throws(AdminError) {
      address = try metrics.map { text throws(AdminError) in try MetricsAddress(parsing: text) }
    } catch {
      throw CommandFailure(.usage, "--metrics: \(error.message)")
    }
    capturePath = capture
    self.logger = logger
  }

  /// Makes the file of the capture.
  ///
  /// - Throws: status `cannotCreate`: there is such a file, or the system refuses.
  mutating func openCapture() throws(CommandFailure) {
    guard let capturePath else { return }
    do throws(AdminError) {
      capture = try PacketCapture(creating: capturePath, application: Version.text)
    } catch {
      throw CommandFailure(.cannotCreate, "--capture: \(error.message)")
    }
  }

  /// Serves the nodes' metrics, and says where.
  ///
  /// - Throws: status `network` for an address that is in use or not this machine's.
  mutating func serveMetrics(of nodes: [ScriptedNode]) async throws(CommandFailure) {
    guard let address else { return }
    let instruments = InstrumentFactory()
    MetricsSystem.bootstrap(instruments)
    // From here on hooks are timed: before init is.
    for node in nodes { _ = await node.snapshot() }
    let metrics = NodeMetrics { nodes }
    do throws(AdminError) {
      server = try await MetricsServer.start(on: address) { await metrics.families() + instruments.families() }
    } catch {
      throw CommandFailure(.network, "--metrics: \(error.message)")
    }
    guard let server else { return }
    let text = "metrics on http://\(server.address)/metrics"
    do throws(CommandFailure) {
      try Output.standard.write(text + "\n")
    } catch {
      logger.warning("\(error.message); \(text)")
    }
  }

  /// No node was started: what is in the capture is nothing, and would stand in the next one's way.
  func abandon() async {
    await server?.close()
    guard let capture, let capturePath else { return }
    _ = await capture.close()
    unlink(capturePath)
  }

  /// Ends both, and says what became of the capture.
  func finish() async {
    await server?.close()
    guard let capture, let capturePath else { return }
    let summary = await capture.close()
    var metadata: Logger.Metadata = ["packets": "\(summary.packets)"]
    if summary.leftOut > 0 { metadata["left_out"] = "\(summary.leftOut)" }
    if let problem = summary.problem {
      logger.error("the capture \(capturePath) is not whole: \(problem)", metadata: metadata)
    } else if summary.leftOut > 0 {
      logger.warning("the capture \(capturePath) is not whole: the disk was slower than the nodes", metadata: metadata)
    } else {
      logger.info("captured to \(capturePath)", metadata: metadata)
    }
  }
}
