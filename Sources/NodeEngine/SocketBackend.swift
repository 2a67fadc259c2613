import Glibc

/// What carries the sockets. Both do the same; docs/decisions.md says what each is good at.
public enum SocketBackend: String, Sendable, CaseIterable, Codable {
  /// SwiftNIO's event loops.
  case nio
  /// Event loops of our own, over Linux's epoll.
  case epoll

  /// What a program gets that does not choose: `epoll`, or what the environment's `MOONPEER_BACKEND` names.
  public static let standard: SocketBackend =
    getenv("MOONPEER_BACKEND").flatMap { SocketBackend(rawValue: String(cString: $0)) } ?? .epoll
}
