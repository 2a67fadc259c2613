import Logging
import LuaHost
import NodeCore
import NodeEngine

/// The natives under `node:metric`; what was wrong is answered as text, which the shipped Lua blames on the script's line.
extension HostNode {
  static let metrics: [(String, LuaNative)] = [("metric", metric), ("metric_record", record)]

  /// metric(name, kind, help?, labels, buckets?) → its number, or nil, problem
  private static let metric: LuaNative = { state in
    let call = LuaCall(state)
    // Also in `restore`, which takes the place of `init`: to find a metric changes nothing, and one that is new is empty.
    guard let hooks = looking(call) else { return noNode(call) }
    guard let name = call.string(1), let kind = call.string(2).flatMap(MetricKind.init(rawValue:)) else {
      return call.raise("usage", "node:metric: a name and a kind are expected")
    }
    let labels: [String]
    var bounds: [Double] = []
    do throws(LuaError) {
      labels = (try call.plain(4).table?.array ?? []).map { $0.text ?? "" }
      if kind == .histogram {
        bounds = call.isNil(5) ? Histogram.usual : (try call.plain(5).table?.array ?? []).map { $0.double ?? .nan }
      }
    } catch {
      return call.raise("usage", "node:metric: \(error.message)")
    }
    let help = call.string(3) ?? "\(name), by the node's script"
    let wish = MetricRegistry.Definition(name: name, kind: kind, help: help, labels: labels, bounds: bounds)
    return call.returns { pack in
      switch hooks.node.metrics.declare(wish) {
      case .success(let id): pack.integer(Int64(id.rawValue))
      case .failure(let error):
        pack.nil()
        pack.string(error.message)
      }
    }
  }

  /// record(number of the metric, "add" | "set" | "observe", value, label values…) → nothing, or the problem
  private static let record: LuaNative = { state in
    let call = LuaCall(state)
    guard let hooks = hooks(call) else { return noNode(call) }
    guard let id = call.integer(1), let verb = call.string(2), let number = call.number(3) else {
      return call.raise("usage", "metric: a number is expected")
    }
    let metric = MetricRegistry.ID(rawValue: Int(clamping: id))
    let registry = hooks.node.metrics
    let count = call.argumentCount
    let labels = count > 3 ? (4...count).map { call.string(Int32($0)) ?? "" } : []
    let outcome =
      switch verb {
      case "add": registry.add(number, to: metric, labels)
      case "set": registry.set(number, of: metric, labels)
      default: registry.observe(number, in: metric, labels)
      }
    switch outcome {
    case .recorded: break
    case .refused(let problem): return call.returns { $0.string(problem) }
    case .dropped(let isFirst):
      guard isFirst else { break }
      hooks.runtime.logger.warning(
        "the script's metrics have \(registry.mostSeries) series, the most a node may have; values for further labels are dropped"
      )
    }
    return call.none()
  }
}
