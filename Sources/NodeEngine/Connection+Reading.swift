public import NodeCore

extension Connection {
  /// Waits until the bytes that were asked for with ``Inbound/expect(_:)`` are there, or no more will come.
  ///
  /// One reader at a time: check ``hasReader`` first.
  public func whenReadable(_ run: @escaping (Readability) -> Void) -> WaitToken {
    precondition(reader == nil, "a connection has one reader at a time")
    var isWaiting = true
    reader = { readability in
      isWaiting = false
      run(readability)
    }
    if inbound.isEnded || inbound.count >= inbound.wanted || !isOpen {
      node.scheduler.defer { [self] in pump() }
    }
    updateReading()
    return WaitToken { [self] in
      guard isWaiting else { return }
      reader = nil
      // What it waited for is nobody's wish any more: the message hook looks at whatever is there.
      inbound.expect(1)
      node.scheduler.defer { [self] in pump() }
    }
  }

  /// Stops reading from the peer, so that TCP pushes back; what has arrived stays.
  public func pauseReading() {
    isReadingPaused = true
    updateReading()
  }

  /// Goes on after ``pauseReading()``; what has arrived meanwhile comes first.
  public func resumeReading() {
    guard isReadingPaused else { return }
    isReadingPaused = false
    updateReading()
    node.scheduler.defer { [self] in pump() }
  }

  /// The hook that handles messages waits: more of them queue, under `inbound_queue` and `inbound_policy`.
  public func holdMessages() {
    isHeld = true
    updateReading()
  }

  /// The hook is done: it is asked to go on at once.
  public func releaseMessages() {
    guard isHeld else { return }
    isHeld = false
    pump()
  }

  /// From the hooks, in `receive`: others have their turn before the next message, and what has arrived stays. Whoever calls it
  /// calls ``catchUp()`` later.
  package func fallBehind() { isBehind = true }

  /// Goes on behind ``fallBehind()``.
  package func catchUp() {
    guard isBehind else { return }
    isBehind = false
    guard isOpen else { return }
    writingOnce {
      pump()
      inbound.close()
      // What has come meanwhile was not read for a reason of the node's own.
      lastProgressAt = node.scheduler.now
      dropSurplus()
    }
  }

  /// What is sent meanwhile leaves in one write at the end; the end of the tick has nothing to do for it.
  private func writingOnce(_ work: () -> Void) {
    let isScheduled = isFlushScheduled
    isFlushScheduled = true
    work()
    isFlushScheduled = isScheduled
    node.tick &+= 1
    flushNow()
  }

  /// The hooks found bytes that are no message: ends the connection with reason `decode` and this text.
  public func failDecoding(_ message: String) {
    disconnect(DisconnectReason(.decode, message: message))
  }

  /// Gives what has arrived to whoever is to have it, until it runs out or they stop.
  func pump() {
    guard !isPumping else { return }
    isPumping = true
    while let reader, inbound.isEnded || inbound.count >= inbound.wanted || !isOpen {
      self.reader = nil
      let isOver = (inbound.isEnded && inbound.count < inbound.wanted) || !isOpen
      reader(isOver ? .ended : .more)
      if isOver { break }
    }
    if phase == .live, !isHeld, !isReadingPaused, !isBehind, !isStream, reader == nil, dispatchesMessages,
      inbound.count >= inbound.wanted || inbound.isEnded, inbound.count > 0
    {
      if let times = node.hookTimes, times.takesRead() { receiveTimed(times) } else { node.hooks.receive(self) }
    }
    isPumping = false
    guard phase != .gone else { return inbound.removeAll() }
    if inbound.isEnded { finishEnd() }
    // One that can never arrive whole would stall the connection without a word.
    if phase == .live, !isHeld, !isBehind, !isStream, reader == nil, dispatchesMessages, inbound.wanted > readLimit {
      failDecoding("a message of at least \(inbound.wanted) bytes is over max_read_buffer (\(readLimit))")
    }
    updateReading()
  }

  /// For the idle time-out: once per read, not per message.
  func noteProgress() {
    guard inbound.progress != lastProgress else { return }
    lastProgress = inbound.progress
    lastProgressAt = node.scheduler.now
  }

  /// The peer has closed its side: what it sent is handled first, then the connection ends.
  private func finishEnd() {
    guard phase == .live, !isHeld, !isReadingPaused, !isBehind else { return }
    if dispatchesMessages, !isStream {
      disconnect(DisconnectReason(.eof))
    } else if inbound.count == 0 || inbound.count < inbound.wanted {
      // A session or a stream's owner that still has bytes to take ends it by itself, or the idle time-out does.
      disconnect(DisconnectReason(.eof))
    }
  }

  func updateReading() {
    stream.setReading(shouldRead)
  }

  private var shouldRead: Bool {
    guard isOpen, isStreamAlive, !inbound.isEnded, !isReadingPaused, !isBehind else { return false }
    if inbound.count >= readLimit { return reader != nil && inbound.count < inbound.wanted }
    guard isHeld else { return true }
    switch node.configuration.inboundPolicy {
    case .drop: return true
    case .backpressure:
      let limit = node.configuration.inboundQueue
      return (inbound.waitingMessages(limit: limit) ?? limit) < limit
    }
  }
}

extension Connection: ByteStreamDelegate {
  public func streamReceived(_ bytes: UnsafeRawBufferPointer) {
    node.assertOnLoop()
    guard isOpen else { return }
    // What is sent meanwhile leaves in one write once the read is handled: the end of the tick has nothing to do for it.
    let isScheduled = isFlushScheduled
    isFlushScheduled = true
    handle(bytes)
    node.tick &+= 1
    if !isScheduled, waitsInLine() { return }
    isFlushScheduled = isScheduled
    flushNow()
  }

  private func handle(_ bytes: UnsafeRawBufferPointer) {
    inbound.open(bytes)
    if let tapped { tapped.received(bytes, self) }
    if inbound.count >= inbound.wanted { pump() }
    inbound.close()
    guard isOpen else { return }
    noteProgress()
    if !hasFootprint, inbound.messagesReceived > 0 { noteFootprint() }
    dropSurplus()
    updateReading()
  }

  /// Where more messages wait behind a hook than may, and they are to be dropped.
  private func dropSurplus() {
    guard isOpen, isHeld, node.configuration.inboundPolicy == .drop else { return }
    let limit = node.configuration.inboundQueue
    let dropped =
      framing?.kind == .external ? node.hooks.drain(self, keeping: limit) : inbound.dropMessages(beyond: limit)
    if dropped > 0 { node.noteDropped(dropped, self) }
  }

  private func noteFootprint() {
    hasFootprint = true
    var footprint = Footprint()
    footprint.add(self)
    footprint.add(inbound)
    footprint.add(node, lines: 6)
    node.hooks.addFootprint(of: self, to: &footprint)
    stream.note(footprint)
  }

  public func streamEnded() {
    inbound.isEnded = true
    pump()
  }

  public func streamFailed(_ reason: DisconnectReason) {
    isStreamAlive = false
    inbound.isEnded = true
    node.streamFailed(self, reason)
    wakeWriters()
    wakeFlushers()
  }
}
