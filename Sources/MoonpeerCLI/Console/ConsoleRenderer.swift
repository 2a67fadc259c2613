import NodeAdmin

/// A console's answers for people.
struct ConsoleRenderer {
  var palette = Palette.plain

  func render(_ result: JSONValue) -> String {
    switch result["kind"]?.text {
    case "values": lines(result["values"]?.list.map { $0.text ?? $0.line } ?? [])
    case "nodes": table(["node", "listens on", "connections", "code", "script"], result["nodes"]?.list.map(node) ?? [])
    case "connections":
      table(
        ["node", "conn", "peer", "side", "received", "sent", "code"], result["connections"]?.list.map(connection) ?? [])
    case "tasks": tasks(result["tasks"]?.list ?? [])
    case "stats": stats(result)
    case "help":
      table(["verb", "", ""], result["verbs"]?.list.map { [text($0["verb"]), text($0["usage"]), text($0["meaning"])] } ?? [])
        + "Anything else is Lua, run in the node; = in front makes it Lua in any case.\n"
    case "reload": reload(result)
    case "reloads": table(["node", "process", "reload", "code", "script"], result["nodes"]?.list.map(reloaded) ?? [])
    case "trace": lines([ended(result)])
    case "use", "quit", "nothing", "cancel": ""
    default: lines([text(result["text"])])
    }
  }

  /// A message of a trace.
  func render(event: JSONValue) -> String {
    let isReceived = event["direction"]?.text == "received"
    let time = event["time"]?.double ?? 0
    let clock = Timestamp(seconds: Int(time), milliseconds: Int(time * 1000) % 1000).timeOfDay
    var text = ""
    if let count = event["left_out"]?.int, count > 0 { text += palette.paint("… \(count) not shown", .dim) + "\n" }
    text += palette.paint(clock, .dim)
    // Nothing that was said over the connection, but something that happened to it.
    if event["direction"]?.text == "none" { return text + palette.paint(" … " + self.text(event["message"]), .dim) + "\n" }
    text += isReceived ? " ← " : " → "
    return text + lines([self.text(event["message"])])
  }

  func render(error: JSONValue) -> String {
    var text = "\(palette.paint("error:", .red)) " + lines([self.text(error["message"])])
    if let traceback = error["traceback"]?.text { text += palette.paint(lines([traceback]), .dim) }
    return text
  }

  private func node(_ node: JSONValue) -> [String] {
    let addresses = node["addresses"]?.list.compactMap(\.text) ?? []
    var connections = text(node["connected"])
    if let count = node["connecting"]?.int, count > 0 { connections += " + \(count)" }
    var code = self.code(of: node)
    if let count = node["connections_of_earlier_code"]?.int, count > 0 { code += ", \(count) on earlier code" }
    return [
      text(node["name"]), addresses.isEmpty ? "nowhere" : addresses.joined(separator: " "), connections, code,
      text(node["script"]),
    ]
  }

  private func code(of node: JSONValue) -> String {
    "generation " + text(node["generation"]) + (node["version"].map { ", version " + text($0) } ?? "")
  }

  private func reloaded(_ node: JSONValue) -> [String] {
    let isThere = node["generation"] != nil
    return [
      text(node["node"]), text(node["process"]), text(node["outcome"]).replacing("_", with: " "),
      isThere ? code(of: node) : "gone", text(node["script"]),
    ]
  }

  private func connection(_ connection: JSONValue) -> [String] {
    let traffic = connection["traffic"] ?? .null
    return [
      text(connection["node"]), text(connection["id"]),
      text(connection["address"]) + (connection["peer"].map { " " + text($0) } ?? ""), text(connection["side"]),
      "\(text(traffic["messages_received"])) (\(text(traffic["bytes_received"])) B)",
      "\(text(traffic["messages_sent"])) (\(text(traffic["bytes_sent"])) B)", text(connection["generation"]),
    ]
  }

  private func tasks(_ tasks: [JSONValue]) -> String {
    if tasks.isEmpty { return "nothing waits\n" }
    return tasks.map { task in
      var line = palette.paint(text(task["node"]), .bold) + " \(text(task["purpose"]))"
      if let id = task["connection"] { line += " of connection \(text(id))" }
      line += " waits for \(text(task["waits_for"])), since \(text(task["seconds"])) s"
      if let generation = task["generation"]?.int, generation > 1 { line += " (generation \(generation))" }
      let stack = text(task["traceback"]).split(separator: "\n").dropFirst().map(String.init)
      return line + "\n" + palette.paint(stack.map { lines([$0]) }.joined(), .dim)
    }.joined()
  }

  private func stats(_ result: JSONValue) -> String {
    (result["nodes"]?.list ?? result["connections"]?.list ?? []).map { entry in
      let title =
        entry["name"].map { text($0) } ?? "\(text(entry["node"])) connection \(text(entry["id"])) (\(text(entry["address"])))"
      var rows: [[String]] = []
      for name in ["connected", "connecting", "waiting_tasks", "lua_memory", "lua_memory_peak"] {
        if let value = entry[name] { rows.append(["  " + name, text(value)]) }
      }
      for group in ["traffic", "heuristics"] {
        guard case .object(let fields)? = entry[group] else { continue }
        rows += fields.keys.filter { $0 != "created_at" }.sorted().map { ["  " + $0, text(fields[$0])] }
      }
      return palette.paint(title, .bold) + "\n" + columns(rows)
    }.joined()
  }

  private func reload(_ result: JSONValue) -> String {
    let version = result["version"].map { ", version \(text($0))" } ?? ""
    let milliseconds = (result["pause"]?.double ?? 0) * 1000
    var report = "\(text(result["node"])): generation \(text(result["generation"]))\(version); "
    report +=
      "\(text(result["moved"])) \(result["moved"]?.int == 1 ? "connection" : "connections") moved, \(text(result["left"])) left; "
    report += "messages waited for \(milliseconds) ms\n"
    let warnings = result["warnings"]?.list.compactMap(\.text) ?? []
    return report + lines(warnings.map { "warning: " + $0 })
  }

  private func ended(_ result: JSONValue) -> String {
    let count = result["left_out"]?.int ?? 0
    return "trace over: \(text(result["text"]))" + (count > 0 ? " (\(count) more messages not shown)" : "")
  }

  // Layout

  private func table(_ titles: [String], _ rows: [[String]]) -> String {
    rows.isEmpty ? "none\n" : columns([titles] + rows)
  }

  private func columns(_ rows: [[String]]) -> String {
    let rows = rows.map { $0.map(Printable.text) }
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        line += cell + String(repeating: " ", count: column == row.count - 1 ? 0 : widths[column] - cell.count + 2)
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  private func lines(_ texts: [String]) -> String {
    texts.map { Printable.lines($0).joined(separator: "\n") + "\n" }.joined()
  }

  private func text(_ value: JSONValue?) -> String {
    guard let value else { return "" }
    return value.text ?? value.line
  }
}
