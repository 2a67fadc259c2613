import Foundation
import FuzzSupport
import NodeCore
import Testing

@testable import NodeAdmin

/// What comes in over the console's socket and the metrics address.
@Suite(.timeLimit(.minutes(10))) struct InputFuzzTests {
  @Test func `A line is a request or a problem`() throws {
    #expect(try AdminTargets.line.firstProblem() == nil)
  }

  @Test func `Whatever a connection is called and sends, its capture is in order and has each byte`() throws {
    #expect(try CaptureTarget.target.firstProblem() == nil)
  }

  @Test func `Clients that send anything do not keep the console from answering`() async throws {
    try await TestConsole.with([("one", "return {}")]) { console in
      var fuzz = Fuzz("console", count: 100, seeds: AdminTargets.requests)
      for input in fuzz.inputs() { try await console.client().write(String(decoding: input, as: UTF8.self) + "\n") }
      let answer = try await console.ask("list")
      #expect("\(answer)".contains("one"))
    }
  }

  @Test func `Scrapers that send anything do not keep the others from their answer`() async throws {
    let server = try await MetricsServer.start(on: MetricsAddress(port: 0), limits: MetricsServerLimits(), factory: nil) { [] }
    let seeds = [
      "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n", "POST /metrics HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\nabc",
      "GET /metrics HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ].map { Array($0.utf8) }
    var fuzz = Fuzz("metrics", count: 200, seeds: seeds)
    var answer = ""
    do {
      for input in fuzz.inputs() { try HTTPClient(server.address).say(String(decoding: input, as: UTF8.self)) }
      let client = try HTTPClient(server.address)
      client.say("GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
      answer = try await client.everything()
    } catch { answer = "\(error)" }
    await server.close()
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(answer)")
  }
}
