import NIOCore
import NIOHTTP1

/// How many bytes the request under way has had.
final class RequestMeter {
  var bytes = 0
}

/// Ends a connection whose request is larger than any honest one.
final class RequestSizeHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let meter: RequestMeter
  private let limit: Int
  private var isOver = false

  init(_ meter: RequestMeter, limit: Int) {
    self.meter = meter
    self.limit = limit
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isOver else { return }
    meter.bytes += unwrapInboundIn(data).readableBytes
    guard meter.bytes > limit else { return context.fireChannelRead(data) }
    isOver = true
    let answer = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    context.close(promise: nil)
  }
}

/// Answers one request after the other.
final class MetricsHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let meter: RequestMeter
  private let limits: MetricsServerLimits
  private let scrapes: Scrapes
  private var head: HTTPRequestHead?
  private var deadline: Scheduled<Void>?

  init(_ meter: RequestMeter, _ limits: MetricsServerLimits, _ scrapes: Scrapes) {
    self.meter = meter
    self.limits = limits
    self.scrapes = scrapes
  }

  // The first request has the time of a request to arrive: who connects has something to ask.
  func channelActive(context: ChannelHandlerContext) {
    allow(limits.requestTime, context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      allow(limits.requestTime, context)
    case .body: break
    case .end:
      meter.bytes = 0
      guard let head else { return }
      self.head = nil
      allow(limits.requestTime, context)
      answer(head, context)
    }
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let path = head.uri.prefix { $0 != "?" }
    guard path == "/metrics" else {
      return respond(head, .notFound, "there is nothing here; metrics are at /metrics\n", context)
    }
    guard head.method == .GET || head.method == .HEAD else {
      return respond(head, .methodNotAllowed, "metrics are read with GET\n", context, extra: [("allow", "GET, HEAD")])
    }
    let promise = context.eventLoop.makePromise(of: String.self)
    let scrapes = scrapes
    promise.completeWithTask { await scrapes.text() }
    promise.futureResult.assumeIsolated().whenSuccess { [self] text in
      guard context.channel.isActive else { return }
      respond(head, .ok, text, context, type: Exposition.contentType)
    }
  }

  private func respond(
    _ request: HTTPRequestHead, _ status: HTTPResponseStatus, _ text: String, _ context: ChannelHandlerContext,
    type: String = "text/plain; charset=utf-8", extra: [(String, String)] = []
  ) {
    var head = HTTPResponseHead(version: request.version, status: status)
    head.headers.add(name: "content-type", value: type)
    head.headers.add(name: "content-length", value: "\(text.utf8.count)")
    for (name, value) in extra { head.headers.add(name: name, value: value) }
    if !request.isKeepAlive { head.headers.add(name: "connection", value: "close") }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(string: text)))), promise: nil)
    }
    let isLast = !request.isKeepAlive
    context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { [self] _ in
      if isLast { context.close(promise: nil) } else { allow(limits.idleTime, context) }
    }
  }

  /// The connection is closed unless something else is allowed before that time is over.
  private func allow(_ time: TimeAmount, _ context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
  }
}
