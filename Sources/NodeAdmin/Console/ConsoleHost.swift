public import Logging
public import NodeScripting

/// What a console is a console of.
public struct ConsoleHost: Sendable {
  /// The nodes of this process, in the order they are listed.
  public var nodes: @Sendable () -> [ScriptedNode]
  /// Sets the least level that is logged, of the node of that name; nil: of all.
  public var setLogLevel: @Sendable (String?, Logger.Level) -> Void
  /// The program's version, for the greeting.
  public var version: String

  public init(
    version: String, nodes: @escaping @Sendable () -> [ScriptedNode],
    setLogLevel: @escaping @Sendable (String?, Logger.Level) -> Void
  ) {
    self.version = version
    self.nodes = nodes
    self.setLogLevel = setLogLevel
  }

  func node(named name: String) -> ScriptedNode? { nodes().first { $0.name == name } }
}
