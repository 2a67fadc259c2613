import Glibc

/// Threads for what must go on whatever holds up the program's own.
enum DetachedThread {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// Runs it on a thread of its own, which nobody waits for.
  static func run(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(Body(body)).toOpaque())
    guard status == 0 else { ThreadRoom.refuse("refuses a thread: \(String(cString: strerror(status)))") }
    pthread_detach(thread)
  }
}
