import Glibc

/// Threads for what must go on whatever holds up the program's own.
enum SystemThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs it on a thread of its own, which nobody waits for.
  static func detach(_ body: @escaping @Sendable () -> Void) {
    let (thread, status) = start(body)
    guard status == 0 else { ThreadRoom.refuse("refuses a thread: \(String(cString: strerror(status)))") }
    pthread_detach(thread)
  }

  /// Runs it on a thread that is still to be joined or detached.
  ///
  /// - Returns: as status 0, or the number of the error; then there is no thread.
  static func start(_ body: @escaping @Sendable () -> Void) -> (thread: pthread_t, status: Int32) {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(Body(body))
    let status = pthread_create(
      &thread, nil,
      { body in
        Unmanaged<Body>.fromOpaque(body!).takeRetainedValue().run()
        return nil
      }, body.toOpaque())
    if status != 0 { body.release() }
    return (thread, status)
  }
}
