import Glibc

/// How many descriptors (sockets, files) the system lets this process have.
public struct DescriptorLimit: Sendable, Equatable {
  /// In force now.
  public let current: Int
  /// As far as the process may raise it by itself.
  public let most: Int

  public init(current: Int, most: Int) {
    self.current = current
    self.most = most
  }

  /// Raises the limit as far as the system allows. Programs are started with a low one, for the sake of `select`.
  @discardableResult
  public static func raise() -> DescriptorLimit {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return DescriptorLimit(current: 1024, most: 1024) }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      // Refused where "unlimited" is more than the system has; what is in force is looked up again.
      setrlimit(resource, &limit)
      getrlimit(resource, &limit)
    }
    return DescriptorLimit(current: Int(clamping: limit.rlim_cur), most: Int(clamping: limit.rlim_max))
  }

  /// Why so many descriptors will not be had, and what to do; nil where they are.
  public func shortage(of needed: Int) -> String? {
    guard needed > current else { return nil }
    return """
      up to \(needed) open files may be needed, and the system allows this process \(current); connections beyond that wait or fail. \
      Allow more before the start: ulimit -n \(needed) (as root, over the hard limit of \(most)), LimitNOFILE=\(needed) in a \
      systemd unit, or nofile in /etc/security/limits.conf
      """
  }
}
