import Dispatch
import Glibc

/// SIGHUP: asks a daemon to read its files anew.
enum Hangups {
  /// For as long as the result is kept. Until it is, SIGHUP does what it always does.
  static func watch(_ onHangup: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    // Else the process ends before anybody looks.
    signal(SIGHUP, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "moonpeer.hangup"))
    source.setEventHandler { onHangup() }
    source.activate()
    return source
  }
}
