/// What `--version` prints; CHANGELOG.md has an entry for each.
enum Version {
  static let text = "moonpeer 0.1.0"
}
