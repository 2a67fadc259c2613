extension NodeConfiguration {
  /// The keys of `other` that differ and take effect only after a restart, in the order of the reference.
  package func keysNeedingRestart(for other: NodeConfiguration) -> [String] {
    Self.keys.filter { $0.change == .restart && $0.value(of: self) != $0.value(of: other) }.map(\.name)
  }

  /// This configuration with what needs a restart as in `running`.
  package func keepingWhatNeedsRestart(of running: NodeConfiguration) -> NodeConfiguration {
    var result = self
    // The one key that a value cannot unset.
    result.name = running.name
    for key in Self.keys where key.change == .restart {
      if let value = key.value(of: running) { try? result.set(key.name, to: value) }
    }
    return result
  }
}
