import Foundation
import NodeEngine

/// One thing that is measured.
struct Case: Sendable {
  /// What a run's figure is, and whether more of it is better.
  enum Unit: String, Sendable {
    case messages = "messages/s"
    case roundTrips = "round trips/s"
    case bytes = "bytes/s"
    case connections = "connections/s"
    case microseconds = "µs"
    case milliseconds = "ms"
    case memory = "bytes"
    case ratio = "×"

    var isRate: Bool {
      switch self {
      case .messages, .roundTrips, .bytes, .connections: true
      case .microseconds, .milliseconds, .memory, .ratio: false
      }
    }
  }

  /// Ends in ``number`` where it says how many.
  var name: String
  /// `%n` stands for ``number``.
  var summary: String
  var unit: Unit
  var parameters: Parameters
  /// How many connections, nodes or reloads a whole run has, where a quick one or one short of descriptors has fewer.
  var number: Int?
  /// What a run does; its process ends after it.
  var body: @Sendable (Parameters) async throws -> Measurement
  /// rawloop's words for the same work, where there is any; the last one, its seconds, is added.
  var rawloop: [String]?

  static let all: [Case] =
    StreamCase.cases + EchoCase.cases + SendersCase.cases + ConnectCase.cases + AcceptCase.cases + IdleCase.cases
    + NodeCase.cases + ChainCase.cases + ScaleCase.cases + ReloadCase.cases

  /// Name and summary with the number that a run had; nil: that of a whole one.
  func title(of had: Int? = nil) -> (name: String, summary: String) {
    guard let number else { return (name, summary) }
    let had = had ?? number
    let suffix = "-\(number)"
    let own = name.hasSuffix(suffix) ? name.dropLast(suffix.count) + "-\(had)" : name[...]
    return (String(own), summary.replacing("%n", with: Self.grouped(had)))
  }

  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return digits.indices.map { (digits.count - $0).isMultiple(of: 3) && $0 > 0 ? ",\(digits[$0])" : "\(digits[$0])" }.joined()
  }

  static func named(_ name: String) -> Case? { all.first { $0.name == name } }
}

/// What a case is about; a run gets it as it stands here but for the scale.
struct Parameters: Sendable, Codable {
  enum Hooks: String, Sendable, Codable { case lua, swift }
  var backend = SocketBackend.standard
  var hooks = Hooks.lua
  /// Bytes of a message.
  var size = 16
  var connections = 1
  var nodes = 2
  var loops = 2
  /// The receiving node's `io_loops`; nil: 0.
  var ioLoops: Int?
  var codec = "length_prefixed"
  var seconds = 1.0
  /// Divides the large counts in a quick run.
  var divisor = 1
}

/// What one run found.
struct Measurement: Codable {
  /// In the case's unit.
  var value: Double
  /// Other figures, by name.
  var more: [String: Double] = [:]
  /// How many there were of what the case's ``Case/number`` counts; nil where that is nothing.
  var number: Int?
  /// How often a value lay where, by name; those of all runs are added up.
  var histograms: [String: [Histogram.Bucket]] = [:]
  /// Messages that were sent, received and found in order; the run fails where they differ.
  var checked = 0
}

/// What a worker prints.
struct RunResult: Codable {
  var measurement: Measurement
  var cpuSeconds: Double
  var peakMemory: Int
}

extension Case {
  /// A report for each backend, from interleaved runs.
  func measure(_ scale: Scale, _ raw: RawLoop?, on backends: [SocketBackend]) throws -> [Report] {
    var given = parameters
    given.seconds = scale.seconds
    given.divisor = scale.isQuick ? 10 : 1
    var results: [SocketBackend: [RunResult]] = [:]
    var rawValues: [Double] = []
    for _ in 0..<scale.runs {
      for backend in backends {
        given.backend = backend
        results[backend, default: []].append(try Subprocess.worker(name, given))
      }
      if let raw, let rawloop { rawValues.append(try raw.run(rawloop, seconds: scale.seconds, unit: unit)) }
    }
    return backends.map { backend in
      given.backend = backend
      return Report(self, given, results[backend]!, rawValues)
    }
  }
}
