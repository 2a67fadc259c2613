import NIOCore

/// A stream that NIO is opening.
final class SocketDial: PendingDial {
  private var channel: (any Channel)?
  private var isCancelled = false

  /// There is a socket.
  func began(_ channel: any Channel) {
    self.channel = channel
    if isCancelled { channel.close(promise: nil) }
  }

  /// It is somebody else's now, or gone.
  func ended() { channel = nil }

  func cancel() {
    isCancelled = true
    channel?.close(promise: nil)
    channel = nil
  }
}
