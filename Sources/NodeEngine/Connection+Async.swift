import NodeCore

/// Straight-line reading and writing for hooks written in Swift. They run on the node's loop, like their callers.
extension Connection {
  /// Queues a message; waits while the queue is over its high-water mark.
  ///
  /// - Throws: code `closed`, or `too_large` where the framing refuses the message.
  public nonisolated(nonsending) func send(_ message: [UInt8]) async throws(NodeError) {
    try await settle(message.withUnsafeBytes { send($0) }, message, isFramed: true)
  }

  /// Queues raw bytes past the framing; waits as ``send(_:)`` does.
  ///
  /// - Throws: code `closed`.
  public nonisolated(nonsending) func write(_ bytes: [UInt8]) async throws(NodeError) {
    try await settle(bytes.withUnsafeBytes { write($0) }, bytes, isFramed: false)
  }

  private nonisolated(nonsending) func settle(
    _ first: SendOutcome, _ bytes: [UInt8], isFramed: Bool
  ) async throws(NodeError) {
    var outcome = first
    if outcome == .wait {
      outcome = await withCheckedContinuation { continuation in
        _ = WaitingSend(self) { [self] in
          bytes.withUnsafeBytes { isFramed ? send($0) : write($0) }
        } completion: {
          continuation.resume(returning: $0)
        }
      }
    }
    switch outcome {
    case .queued: return
    case .refused(let why): throw NodeError(code: .tooLarge, message: why)
    case .closed, .wait, .full: throw .closed(address)
    }
  }

  /// Waits until the kernel has taken all that was queued; it says nothing about the peer.
  ///
  /// - Throws: code `closed` where the connection ends before.
  public nonisolated(nonsending) func flush() async throws(NodeError) {
    let reason = await withCheckedContinuation { continuation in
      _ = whenFlushed { continuation.resume(returning: $0) }
    }
    if let reason { throw NodeError(code: .closed, message: "not flushed: \(reason)") }
  }

  /// The next message; nil when the connection has ended, or is being closed: what has arrived by then goes with it.
  ///
  /// - Throws: code `decode` where the bytes are no message, `busy` where somebody else reads.
  public nonisolated(nonsending) func receive() async throws(NodeError) -> [UInt8]? {
    while isOpen {
      switch inbound.nextMessage() {
      case .message(let bytes): return Array(bytes)
      case .invalid(let why):
        failDecoding(why)
        throw NodeError(code: .decode, message: why)
      case .needMore:
        if inbound.isEnded { return nil }
        try await waitReadable()
      }
    }
    return nil
  }

  /// Exactly so many raw bytes; 0 gives none at once.
  ///
  /// - Throws: code `closed` where the stream ends before, `too_large` over ``readLimit``, `busy` where somebody else reads.
  public nonisolated(nonsending) func read(_ count: Int) async throws(NodeError) -> [UInt8] {
    guard count <= readLimit else {
      throw NodeError(code: .tooLarge, message: "\(count) bytes are more than max_read_buffer holds (\(readLimit))")
    }
    while inbound.bytes.count < count {
      guard !inbound.isEnded, isOpen else { throw .closed(address) }
      inbound.expect(count)
      try await waitReadable()
    }
    let bytes = Array(inbound.bytes[..<count])
    inbound.consume(count)
    return bytes
  }

  /// The bytes before a delimiter of at least one byte, which is consumed too; at most `max`.
  ///
  /// - Throws: code `too_large` where there is none within `max`, or where `max` is over ``readLimit``, `closed` where the stream ends before, `busy` where
  ///   somebody else reads.
  public nonisolated(nonsending) func read(until delimiter: [UInt8], max: Int) async throws(NodeError) -> [UInt8] {
    let (bound, isOver) = max.addingReportingOverflow(delimiter.count)
    guard !isOver, bound <= readLimit else {
      throw NodeError(code: .tooLarge, message: "a line of \(max) bytes is more than max_read_buffer holds (\(readLimit))")
    }
    var search = DelimiterSearch(delimiter)
    var progress = inbound.progress
    while true {
      // Between the bytes' arrival and this turn somebody else may have taken some.
      if inbound.progress != progress { (search, progress) = (DelimiterSearch(delimiter), inbound.progress) }
      if let index = search.find(in: inbound.bytes), index <= max {
        let bytes = Array(inbound.bytes[..<index])
        inbound.consume(index + delimiter.count)
        return bytes
      }
      guard inbound.bytes.count < bound else {
        throw NodeError(code: .tooLarge, message: "no delimiter within \(max) bytes")
      }
      guard !inbound.isEnded, isOpen else { throw .closed(address) }
      inbound.expect(inbound.bytes.count + 1)
      try await waitReadable()
    }
  }

  private nonisolated(nonsending) func waitReadable() async throws(NodeError) {
    guard !hasReader else { throw NodeError(code: .busy, message: "the connection to \(address) has a reader already") }
    _ = await withCheckedContinuation { continuation in
      _ = whenReadable { continuation.resume(returning: $0) }
    }
  }
}
