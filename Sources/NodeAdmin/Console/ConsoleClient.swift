import Glibc
import NIOCore
import NodeScripting

/// One client of the console, on the console's own loop.
///
/// Both directions are bounded: a line that is too long and answers that are not read end the connection.
final class ConsoleClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let host: ConsoleHost
  private let answers: ConsoleAnswers
  private let clients: ConsoleClients
  private var received: [UInt8] = []
  private var running: [Int64: Task<Void, Never>] = [:]
  /// What ends a trace, by the request that began it.
  private var traces: [Int64: @Sendable () -> Void] = [:]
  private var waiting = 0
  private var channel: (any Channel)?

  init(_ host: ConsoleHost, _ clients: ConsoleClients) {
    self.host = host
    answers = ConsoleAnswers(host: host)
    self.clients = clients
  }

  func channelActive(context: ChannelHandlerContext) {
    channel = context.channel
    guard clients.insert(context.channel) else {
      let problem = ConsoleProblem("busy", "this console has \(ConsoleProtocol.mostClients) clients already")
      return sendLast(["ok": false, "error": problem.json])
    }
    let names = host.nodes().map { JSONValue.string($0.name) }
    send([
      "console": .integer(ConsoleProtocol.version), "version": .string(host.version), "process": JSONValue(getpid()),
      "nodes": .array(names),
    ])
  }

  func channelInactive(context: ChannelHandlerContext) {
    clients.remove(context.channel)
    channel = nil
    for task in running.values { task.cancel() }
    for end in traces.values { end() }
    running = [:]
    traces = [:]
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    received.append(contentsOf: buffer.readableBytesView)
    var start = 0
    while channel != nil, let end = received[start...].firstIndex(of: 10) {
      handle(received[start..<end])
      start = end + 1
    }
    received.removeFirst(start)
    guard received.count > ConsoleProtocol.longestRequest else { return }
    received = []
    let problem = ConsoleProblem("usage", "a line of over \(ConsoleProtocol.longestRequest) bytes")
    sendLast(["ok": false, "error": problem.json])
  }

  private func handle(_ line: ArraySlice<UInt8>) {
    guard line.contains(where: { $0 != 32 && $0 != 9 && $0 != 13 }) else { return }
    do throws(ConsoleProblem) {
      guard line.count <= ConsoleProtocol.longestRequest else {
        throw ConsoleProblem("usage", "a line of over \(ConsoleProtocol.longestRequest) bytes")
      }
      try begin(try ConsoleRequest(line))
    } catch {
      send(["id": error.id.map { .integer($0) } ?? .null, "ok": false, "error": error.json])
    }
  }

  private func begin(_ request: ConsoleRequest) throws(ConsoleProblem) {
    if case .cancel(let other) = request.question {
      let isKnown = running[other] != nil || traces[other] != nil
      running[other]?.cancel()
      traces[other]?()
      return send(["id": .integer(request.id), "ok": true, "result": ["kind": "cancel", "found": .boolean(isKnown)]])
    }
    guard running[request.id] == nil, traces[request.id] == nil else {
      throw ConsoleProblem("usage", "request \(request.id) is not answered yet", id: request.id)
    }
    guard running.count + traces.count < ConsoleProtocol.mostRequests else {
      throw ConsoleProblem("busy", "\(ConsoleProtocol.mostRequests) requests are not answered yet", id: request.id)
    }
    guard let loop = channel?.eventLoop else { return }
    let client = NIOLoopBound(self, eventLoop: loop)
    let id = request.id
    let work = ConsoleWork(
      request: request, host: host, answers: answers,
      onEvent: { event in loop.execute { client.value.note(event, for: id) } },
      onTrace: { end in loop.execute { client.value.keep(end, for: id) } },
      onResult: { result in loop.execute { client.value.finish(id, result) } })
    running[id] = work.start()
  }

  /// What ends a trace that has begun; it may be over already, or nobody wants it any more.
  private func keep(_ end: @escaping @Sendable () -> Void, for id: Int64) {
    guard let task = running[id], !task.isCancelled else { return end() }
    traces[id] = end
  }

  private func note(_ event: TraceEvent, for id: Int64) {
    switch event {
    case .message(let message): send(["id": .integer(id), "event": .traced(message)])
    case .moved(let generation, let time):
      let text = "generation \(generation) of the code has the connection now"
      let event: JSONValue = [
        "direction": "none", "generation": JSONValue(generation), "time": .number(time), "message": .string(text),
      ]
      send(["id": .integer(id), "event": event])
    case .ended(let why, let leftOut):
      finish(id, .success(["kind": "trace", "text": .string(why), "left_out": JSONValue(leftOut)]))
    }
  }

  private func finish(_ id: Int64, _ result: Result<JSONValue, ConsoleProblem>) {
    traces[id] = nil
    guard running.removeValue(forKey: id) != nil else { return }
    switch result {
    case .success(let value): send(["id": .integer(id), "ok": true, "result": value])
    case .failure(let problem): send(["id": .integer(id), "ok": false, "error": problem.json])
    }
  }

  // Sending

  private func send(_ value: JSONValue) {
    guard let channel else { return }
    let buffer = channel.allocator.buffer(string: value.line + "\n")
    let count = buffer.readableBytes
    guard waiting + count <= ConsoleProtocol.mostWaiting else {
      // Whoever does not read is not waited for.
      self.channel = nil
      return channel.close(promise: nil)
    }
    waiting += count
    let client = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.writeAndFlush(buffer).whenComplete { _ in client.value.waiting -= count }
  }

  private func sendLast(_ value: JSONValue) {
    guard let channel else { return }
    self.channel = nil
    let buffer = channel.allocator.buffer(string: value.line + "\n")
    channel.writeAndFlush(buffer).whenComplete { _ in channel.close(promise: nil) }
  }
}
