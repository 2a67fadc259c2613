/// The Lua API, declared once: what scripts may name, with types, defaults and meaning.
///
/// `make api` writes the reference, the editor annotations and `.luacheckrc` from it; tests hold it against running
/// nodes. Scenarios (`moonpeer.network`) are declared beside their code, in TestNetwork.
package enum LuaAPI {
  /// The parts of the reference after the script table and the configuration, in the order a reader meets them.
  package static let sections: [APISection] = [
    APISection(
      title: "node",
      doc:
        """
        What a node can do. Whatever waits lets everything else go on; it may be called in every hook, timer and \
        task.
        """,
      classes: [node, counts, statistics, heuristics], modules: [nodeModule], example: nodeExample),
    APISection(
      title: "conn", doc: "One connection.", classes: [conn, reason],
      words: [
        ("Socket options", "moonpeer.SocketOption", optionNames), ("Reasons", "moonpeer.ReasonKind", reasonKinds),
      ], example: connExample),
    APISection(
      title: "Tasks, timers and queues", doc: "What runs beside the hooks. A task ends with its node.",
      classes: [task, timer, queue],
      example: tasksExample),
    APISection(
      title: "Codecs", doc: "Framing and what is in the frames.", classes: [codecType], modules: [codecModule],
      example: codecExample),
    APISection(
      title: "Metrics", doc: "What a script counts for itself; `docs/metrics.md` has what is counted anyway.",
      classes: [metric], example: metricsExample),
    APISection(title: "The view", doc: "For decoders written by hand.", classes: [view], example: viewExample),
    APISection(
      title: "Log and JSON", doc: "The other modules.", classes: [jsonNull], modules: [log, json], example: logExample),
    APISection(
      title: "Errors", doc: "What goes wrong, and how a script sees it.", classes: [error],
      words: [("Error kinds", "moonpeer.ErrorKind", errorKinds)], example: errorExample),
  ]

  /// The example of the script table and of the configuration.
  package static let examples = (script: scriptExample, configuration: configurationExample)

  /// Names for types that are no tables.
  package static let aliases: [(name: String, type: String, doc: String)] = [
    (
      "moonpeer.Duration", "number|string",
      "Seconds as a number, or text such as `\"250ms\"`, `\"3s\"`, `\"2m\"`, `\"1h\"`; not negative."
    ),
    ("moonpeer.Size", "integer|string", "Bytes as a whole number, or text such as `\"64KiB\"`, `\"1MiB\"`."),
    (
      "moonpeer.Address", "string",
      "`\"127.0.0.1:4000\"`, `\"[::1]:4000\"`, `\"host.name:4000\"`, or `\"unix:/path\"` where `--unix-sockets` allows it."
    ),
  ]
}
