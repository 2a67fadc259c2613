import LuaHost
import NodeCore
import NodeEngine

/// What one look at the received bytes came to.
private enum ReadAttempt {
  case bytes(UnsafeRawBufferPointer, consume: Int)
  case more(total: Int)
  case refused(kind: String, message: String)
}

extension HostConn {
  static let reading: [(String, LuaNative)] = [
    ("read", read), ("read_some", readSome), ("read_until", readUntil), ("peek", peek),
    ("wait_readable", waitReadable),
  ]

  /// read(conn, n) → exactly n bytes, or raises
  private static let read: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return notLive(call, "read") }
    guard let count = call.integer(2), count >= 0 else { return wrongCount(call, "read") }
    return perform(call, side, "read", bound: count) { inbound in
      let bytes = inbound.bytes
      guard bytes.count >= count else { return .more(total: Int(count)) }
      return .bytes(UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)]), consume: Int(count))
    }
  }

  /// peek(conn, n) → the next n bytes, left where they are
  private static let peek: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return notLive(call, "peek") }
    guard let count = call.integer(2), count >= 0 else { return wrongCount(call, "peek") }
    return perform(call, side, "peek", bound: count) { inbound in
      let bytes = inbound.bytes
      guard bytes.count >= count else { return .more(total: Int(count)) }
      return .bytes(UnsafeRawBufferPointer(rebasing: bytes[..<Int(count)]), consume: 0)
    }
  }

  /// read_some(conn, max?) → at least one byte, at most max
  private static let readSome: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return notLive(call, "read_some") }
    let max = call.isNil(2) ? Int64(Int32.max) : call.integer(2) ?? 0
    guard max > 0 else { return call.raise("usage", "conn:read_some: max must be a whole number of at least 1") }
    return perform(call, side, "read_some", bound: 1) { inbound in
      let bytes = inbound.bytes
      guard !bytes.isEmpty else { return .more(total: 1) }
      let count = min(bytes.count, Int(max))
      return .bytes(UnsafeRawBufferPointer(rebasing: bytes[..<count]), consume: count)
    }
  }

  /// Bytes before a delimiter, where the script does not say; less where less can be held.
  private static let untilAtMost: Int64 = 1 << 20

  /// read_until(conn, delimiter, max?) → the bytes before the delimiter, which is consumed too
  private static let readUntil: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else { return notLive(call, "read_until") }
    guard let text = call.bytes(2), !text.isEmpty else {
      return call.raise("usage", "conn:read_until: a delimiter of at least one byte is expected")
    }
    let delimiter = Array(text)
    let most = call.isNil(3) ? min(untilAtMost, Int64(side.connection.readLimit - delimiter.count)) : call.integer(3)
    guard let max = most, max > 0 else {
      return call.raise("usage", "conn:read_until: max must be a whole number of at least 1")
    }
    var search = DelimiterSearch(delimiter)
    let (bound, isOver) = max.addingReportingOverflow(Int64(delimiter.count))
    return perform(call, side, "read_until", bound: isOver ? .max : bound) { inbound in
      let bytes = inbound.bytes
      if let index = search.find(in: bytes) {
        guard index <= max else { return overMax(index, max) }
        return .bytes(UnsafeRawBufferPointer(rebasing: bytes[..<index]), consume: index + delimiter.count)
      }
      guard bytes.count < bound else { return overMax(bytes.count, max) }
      return .more(total: bytes.count + 1)
    }
  }

  /// wait_readable(conn, seconds?) → true when bytes arrived, or nil, "closed" | "timeout"
  private static let waitReadable: LuaNative = { state in
    let call = LuaCall(state)
    guard let side = ConnectionScript.of(call) else {
      guard call.isTable(1) else { return notLive(call, "receive") }
      ScriptRuntime.of(call).noteFutileWait()
      return call.returns { pack in
        pack.nil()
        pack.string("closed")
      }
    }
    guard !side.connection.hasReader else { return secondReader(call, "receive") }
    let timeout = call.isNil(2) ? nil : HostTime.duration(call, 2)
    let runtime = side.runtime
    return runtime.park(call, "conn:receive") { wait in
      var timer: (any ScheduledTimer)?
      let token = side.connection.whenReadable { readability in
        timer?.cancel()
        wait.resume { pack in
          if case .ended = readability {
            pack.nil()
            pack.string("closed")
          } else {
            pack.boolean(true)
          }
        }
      }
      if let timeout {
        timer = runtime.scheduler.schedule(after: timeout) {
          token.cancel()
          wait.resume { pack in
            pack.nil()
            pack.string("timeout")
          }
        }
      }
      return {
        token.cancel()
        timer?.cancel()
      }
    }
  }

  private static func perform(
    _ call: LuaCall, _ side: ConnectionScript, _ name: String, bound: Int64,
    _ attempt: @escaping (Inbound) -> ReadAttempt
  ) -> Int32 {
    let connection = side.connection
    let limit = connection.readLimit
    guard bound <= limit else {
      return call.raise("usage", "conn:\(name): \(bound) bytes are more than max_read_buffer holds (\(limit)); read in pieces")
    }
    // While the connection's own messages are being handled, only the hook that handles them may read.
    guard !connection.hasReader, side.mayRead(runtime: side.runtime) else { return secondReader(call, name) }
    let inbound = connection.inbound
    switch attempt(inbound) {
    case .bytes(let bytes, let count):
      let verdict = call.returnBytes(bytes)
      inbound.consume(count)
      return verdict
    case .refused(let kind, let message): return call.raise(kind, "conn:\(name): \(message)")
    case .more(let total):
      guard !inbound.isEnded, connection.isOpen else { return closed(call) }
      return side.runtime.park(call, "conn:\(name)") { wait in
        let pending = PendingRead(connection, name, attempt)
        pending.start(wait, total)
        return { pending.cancel() }
      }
    }
  }

  static func secondReader(_ call: LuaCall, _ name: String) -> Int32 {
    call.raise("busy", "conn:\(name): another task or the message hook already reads this connection")
  }

  private static func overMax(_ count: Int, _ max: Int64) -> ReadAttempt {
    .refused(kind: "too_large", message: "no delimiter within \(max) bytes (\(count) have arrived)")
  }

  private static func wrongCount(_ call: LuaCall, _ name: String) -> Int32 {
    call.raise("usage", "conn:\(name): n must be a whole number of bytes, got \(call.typeName(2))")
  }
}

extension ConnectionScript {
  /// Whether the running task may take bytes: always before the connection is live and in a session; beside a message
  /// hook only in that hook, or while it waits.
  func mayRead(runtime: ScriptRuntime) -> Bool {
    guard connection.isRegistered, !connection.isStream, hooks.script.processMessage != nil else { return true }
    guard let current = runtime.current else { return false }
    // A hook that waits may have handed the reading to a task of its own.
    if dispatch != nil { return true }
    return (current.purpose == .message && current.connection === self)
      || current.purpose == .handshake
  }
}

/// A read that waits for more bytes.
private final class PendingRead {
  private let connection: Connection
  private let name: String
  private let attempt: (Inbound) -> ReadAttempt
  private var token: WaitToken?
  private var wait: ScriptWait?

  init(_ connection: Connection, _ name: String, _ attempt: @escaping (Inbound) -> ReadAttempt) {
    self.connection = connection
    self.name = name
    self.attempt = attempt
  }

  func start(_ wait: ScriptWait, _ total: Int) {
    self.wait = wait
    arm(total)
  }

  func cancel() {
    token?.cancel()
    token = nil
    wait = nil
  }

  private func arm(_ total: Int) {
    connection.inbound.expect(total)
    token = connection.whenReadable { [self] readability in
      token = nil
      step(readability)
    }
  }

  private func step(_ readability: Readability) {
    switch attempt(connection.inbound) {
    case .bytes(let bytes, let count):
      let copy = Array(bytes)
      connection.inbound.consume(count)
      wait?.resume { pack in copy.withUnsafeBytes { pack.bytes($0) } }
      wait = nil
    case .refused(let kind, let message):
      wait?.fail(ScriptError(code: .script, kind: kind, message: "conn:\(name): \(message)", peer: "\(connection.address)"))
      wait = nil
    case .more(let total):
      if case .ended = readability {
        wait?.fail(.closed("\(connection.address)"))
        wait = nil
      } else {
        arm(total)
      }
    }
  }
}
