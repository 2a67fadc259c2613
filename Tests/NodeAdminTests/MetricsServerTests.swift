import CoreMetrics
import Foundation
import NIOCore
import NodeCore
import Testing

@testable import NodeAdmin

@Suite(.timeLimit(.minutes(5))) struct MetricsServerTests {
  private static let families = [MetricFamily(name: "a_total", kind: .counter, help: "a", samples: [.init([], .count(7))])]

  private func withServer(
    _ change: (inout MetricsServerLimits) -> Void = { _ in }, factory: (any MetricsFactory)? = nil,
    _ body: (MetricsServer) async throws -> Void
  ) async throws {
    var limits = MetricsServerLimits()
    change(&limits)
    let server = try await MetricsServer.start(on: MetricsAddress(port: 0), limits: limits, factory: factory) { Self.families }
    do { try await body(server) } catch {
      await server.close()
      throw error
    }
    await server.close()
  }

  private static let get = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"

  @Test func `A scrape gets the text, and the connection serves the next one too`() async throws {
    let factory = InstrumentFactory()
    try await withServer(factory: factory) { server in
      #expect(server.address.port != 0 && server.address.description.hasPrefix("127.0.0.1:"))
      let client = try HTTPClient(server.address)
      for _ in 1...2 {
        client.say(Self.get)
        let response = try await client.response()
        #expect(response.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(response)")
        #expect(response.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(response.hasSuffix("\r\n\r\n# HELP a_total a\n# TYPE a_total counter\na_total 7\n"))
      }
      let own = try ExpositionReader(Exposition.text(factory.families()))
      #expect(own.value("moonpeer_scrapes_total") == 2 && own.value("moonpeer_scrape_duration_seconds_count") == 2)
    }
  }

  @Test(arguments: [
    ("HEAD /metrics HTTP/1.1", "200 OK", false), ("GET /metrics?x=1 HTTP/1.1", "200 OK", true),
    ("GET / HTTP/1.1", "404 Not Found", true), ("GET /metrics/ HTTP/1.1", "404 Not Found", true),
    ("DELETE /metrics HTTP/1.1", "405 Method Not Allowed", true), ("POST /other HTTP/1.1", "404 Not Found", true),
  ])
  func `A request is answered by its path and method`(line: String, status: String, hasBody: Bool) async throws {
    try await withServer { server in
      let client = try HTTPClient(server.address)
      client.say("\(line)\r\nhost: x\r\nconnection: close\r\n\r\n")
      let response = try await client.everything()
      #expect(response.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(response)")
      #expect(response.contains("allow: GET, HEAD\r\n") == status.hasPrefix("405"))
      #expect(response.hasSuffix("\r\n\r\n") == !hasBody, "\(response)")
      #expect(response.contains("content-length: 0") == false)
    }
  }

  @Test func `Requests sent at once are answered in order`() async throws {
    try await withServer { server in
      let client = try HTTPClient(server.address)
      client.say(Self.get + "GET /x HTTP/1.1\r\nhost: x\r\n\r\n" + "GET /metrics HTTP/1.1\r\nconnection: close\r\n\r\n")
      let statuses = try await client.everything().split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
      #expect(statuses == ["200", "404", "200"])
    }
  }

  @Test(arguments: [
    "GET /metrics HTTP/1.1\r\nx: " + String(repeating: "y", count: 20_000),
    "POST /metrics HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n" + String(repeating: "y", count: 20_000),
  ])
  func `A request over the bound is refused before it is whole`(request: String) async throws {
    try await withServer { server in
      let client = try HTTPClient(server.address)
      client.say(request)
      // A reset may take the answer with it; that it ends is what counts.
      let answer = try await client.everything()
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 431 "), "\(answer)")
    }
  }

  @Test(arguments: ["GET /metrics HTT", "\u{16}\u{3}\u{1}\u{2}\0", "", "POST /metrics HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc"])
  func `Who does not finish a request is not waited for`(request: String) async throws {
    try await withServer { limits in
      limits.requestTime = .milliseconds(50)
    } _: { server in
      let client = try HTTPClient(server.address)
      client.say(request)
      let answer = try await client.everything()
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
    }
  }

  @Test func `Between requests a connection may be idle for a time, and no longer`() async throws {
    try await withServer { limits in
      limits.idleTime = .milliseconds(50)
    } _: { server in
      let client = try HTTPClient(server.address)
      client.say(Self.get)
      #expect(try await client.everything().hasPrefix("HTTP/1.1 200 OK"))
    }
  }

  @Test func `There are only so many clients at once`() async throws {
    try await withServer { limits in
      limits.clients = 1
    } _: { server in
      let first = try HTTPClient(server.address)
      first.say(Self.get)
      #expect(try await first.response().hasPrefix("HTTP/1.1 200 OK"))
      let second = try HTTPClient(server.address)
      #expect(try await second.everything() == "")
      first.say(Self.get)
      #expect(try await first.response().hasPrefix("HTTP/1.1 200 OK"))
    }
  }

  @Test func `An address in use is refused with words`() async throws {
    try await withServer { server in
      do throws(AdminError) {
        let second = try await MetricsServer.start(on: server.address) { [] }
        await second.close()
        Issue.record("served twice on \(server.address)")
      } catch {
        #expect(error.code == .addressInUse)
        #expect(
          error.message == "cannot serve metrics on \(server.address): the address is in use; choose another port, or 0 for any")
      }
    }
  }

  @Test(arguments: [
    ("9464", "127.0.0.1:9464"), ("0", "127.0.0.1:0"), ("0.0.0.0:1", "0.0.0.0:1"), ("[::1]:2", "[::1]:2"),
    ("localhost:3", "127.0.0.1:3"),
  ])
  func `An address is read`(text: String, address: String) throws {
    #expect(try MetricsAddress(parsing: text).description == address)
  }

  @Test(arguments: [
    ("", "the port is missing"), ("99999", "\"99999\" is not a port"),
    (":9464", "write 9464 for loopback only, 0.0.0.0:9464 for everybody"),
    ("host.name:1", "metrics are served on an IP address"), ("unix:/x", "metrics are served on an IP address"),
    ("1.2.3.4", "the port is missing"),
  ])
  func `What is no address is refused with what is expected`(text: String, words: String) {
    do throws(AdminError) {
      let address = try MetricsAddress(parsing: text)
      Issue.record("\(address)")
    } catch {
      #expect(error.code == .address && error.message.contains(words), "\(error)")
    }
  }
}
