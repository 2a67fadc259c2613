public import CoreMetrics
public import NodeCore
import Synchronization

/// A backend for swift-metrics that keeps what is recorded and gives it as families: the process's instruments, beside what
/// is pulled from the nodes.
///
/// `moonpeer run --metrics` bootstraps it, so that libraries in the process are served too. As a library Moonpeer bootstraps
/// nothing: whoever embeds it decides.
public final class InstrumentFactory: MetricsFactory {
  private struct Key: Hashable {
    var name: String
    var labels: [MetricFamily.Label]
  }
  private struct State {
    /// In the order they were made.
    var instruments: [Key: Instrument] = [:]
    var order: [Key] = []
    var kinds: [String: MetricKind] = [:]
  }
  private let state = Mutex(State())
  /// Instruments beyond this record nothing.
  static let mostInstruments = 10_000

  public init() {}

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    instrument(label, suffix: "_total", .counter, dimensions) ?? NOOPMetricsHandler.instance
  }
  public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
    instrument(label, suffix: "_total", .counter, dimensions) ?? NOOPMetricsHandler.instance
  }
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    instrument(label, suffix: "", .gauge, dimensions) ?? NOOPMetricsHandler.instance
  }
  /// One that does not aggregate is a gauge: the last value counts.
  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    instrument(label, suffix: "", aggregate ? .histogram : .gauge, dimensions) ?? NOOPMetricsHandler.instance
  }
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    instrument(label, suffix: "_seconds", .histogram, dimensions) ?? NOOPMetricsHandler.instance
  }

  public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
  public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
  public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
  public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

  /// What was recorded so far, by name.
  public func families() -> [MetricFamily] {
    let instruments = state.withLock { state in state.order.compactMap { key in state.instruments[key].map { (key, $0) } } }
    var families = Families()
    for (key, instrument) in instruments {
      families.add(
        MetricFamily(
          name: key.name, kind: instrument.kind, help: "\(instrument.label), recorded with swift-metrics",
          samples: [MetricFamily.Sample(key.labels, instrument.value)]))
    }
    return families.list
  }

  /// Nil where the name has another kind already, or there are too many.
  private func instrument(
    _ label: String, suffix: String, _ kind: MetricKind, _ dimensions: [(String, String)]
  ) -> Instrument? {
    var name = Self.word(label)
    if !name.hasSuffix(suffix) { name += suffix }
    let labels = dimensions.map { MetricFamily.Label(Self.word($0.0), $0.1) }.sorted { $0.name < $1.name }
    let key = Key(name: name, labels: labels)
    return state.withLock { state in
      guard state.kinds[name] ?? kind == kind else { return nil }
      if let existing = state.instruments[key] { return existing }
      guard state.instruments.count < Self.mostInstruments else { return nil }
      let instrument = Instrument(label: label, kind: kind)
      state.kinds[name] = kind
      state.instruments[key] = instrument
      state.order.append(key)
      return instrument
    }
  }

  private func remove(_ handler: AnyObject) {
    state.withLock { state in
      guard let key = state.instruments.first(where: { $0.value === handler })?.key else { return }
      state.instruments[key] = nil
      state.order.removeAll { $0 == key }
      if !state.order.contains(where: { $0.name == key.name }) { state.kinds[key.name] = nil }
    }
  }

  /// swift-metrics allows any text; `http.requests` becomes `http_requests`.
  static func word(_ text: String) -> String {
    let bytes = text.utf8.map { byte in
      (48...57).contains(byte) || (97...122).contains(byte | 32) ? byte : UInt8(ascii: "_")
    }
    let word = String(decoding: bytes, as: UTF8.self)
    guard let first = bytes.first, !(48...57).contains(first) else { return "_" + word }
    return word
  }
}

/// One instrument of any kind.
private final class Instrument: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
  let label: String
  let kind: MetricKind
  private let state: Mutex<MetricFamily.Value>

  init(label: String, kind: MetricKind) {
    self.label = label
    self.kind = kind
    state = Mutex(kind == .histogram ? .histogram(Histogram(bounds: Histogram.usual)) : .number(0))
  }

  var value: MetricFamily.Value { state.withLock { $0 } }

  func increment(by amount: Int64) { add(Double(amount)) }
  func increment(by amount: Double) { add(amount) }
  func decrement(by amount: Double) { add(-amount) }
  func reset() { set(0.0) }
  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { state.withLock { $0 = .number(value) } }
  func record(_ value: Int64) { record(Double(value)) }
  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

  func record(_ value: Double) {
    state.withLock { state in
      guard case .histogram(var histogram) = state else {
        state = .number(value)
        return
      }
      histogram.observe(value)
      state = .histogram(histogram)
    }
  }

  private func add(_ amount: Double) {
    state.withLock { if case .number(let old) = $0 { $0 = .number(old + amount) } }
  }
}
