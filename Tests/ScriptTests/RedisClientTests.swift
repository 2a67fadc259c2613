import Foundation
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// examples/redis against redis-cli and redis-benchmark.
@Suite struct RedisClientTests {
  @Test(.timeLimit(.minutes(5))) func `redis-cli gets the answers it would get from Redis`() async throws {
    let client = try Tool.redisClient()
    try await withScript("examples/redis/redis.lua") { node, port in
      func ask(_ words: String...) async throws -> String {
        try await client.expect(["-h", "127.0.0.1", "-p", port] + words, seconds: 20).trimmingCharacters(in: .newlines)
      }
      #expect(try await ask("PING") == "PONG")
      #expect(try await ask("PING", "are you there?") == "are you there?")
      #expect(try await ask("ECHO", "höß \"quoted\"") == "höß \"quoted\"")
      #expect(try await ask("SET", "key", "value") == "OK")
      #expect(try await ask("GET", "key") == "value")
      #expect(try await ask("--no-raw", "GET", "none") == "(nil)")
      #expect(try await ask("--no-raw", "INCR", "n") == "(integer) 1")
      #expect(try await ask("INCRBY", "n", "41") == "42")
      #expect(try await ask("DECR", "n") == "41")
      #expect(try await ask("INCR", "key") == "ERR value is not an integer or out of range")
      #expect(try await ask("DEL", "key", "none", "n") == "2")
      #expect(try await ask("EXISTS", "key") == "0")
      let tooFew = try await ask("--no-raw", "GET")
      #expect(tooFew == "(error) ERR wrong number of arguments for 'get' command")
      let unknown = try await ask("NOSUCH", "a")
      #expect(unknown == "ERR unknown command 'NOSUCH', with args beginning with: 'a' ")
      #expect(try await ask("SET", "k", "v", "NX", "EX", "100") == "OK")
      let left = try #require(Int(try await ask("TTL", "k")))
      #expect((1...100).contains(left))
      // -n selects a database when it connects, -r repeats over one connection.
      #expect(try await ask("-n", "3", "DBSIZE") == "0")
      #expect(try await ask("-r", "3", "INCR", "m") == "1\n2\n3")
      #expect(try await node.call("size", [0]).first == 2)
    }
  }

  @Test(.timeLimit(.minutes(5))) func `redis-cli runs commands from its input, and values are bytes`() async throws {
    let client = try Tool.redisClient()
    try await withScript("examples/redis/redis.lua") { _, port in
      let said = try await client.expect(
        ["-h", "127.0.0.1", "-p", port], input: Data("SET a \"x\\x00\\r\\ny\"\nGET a\nSELECT 2\nGET a\n".utf8), seconds: 20)
      #expect(said == "OK\nx\0\r\ny\nOK\n\n", "\(said.debugDescription)")
      // -x takes the last argument from the input, as it is.
      let blob = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      _ = try await client.expect(["-h", "127.0.0.1", "-p", port, "-x", "SET", "blob"], input: blob, seconds: 20)
      let length = try await client.expect(["-h", "127.0.0.1", "-p", port, "--no-raw", "GET", "blob"], seconds: 20)
      #expect(length.hasPrefix("\"\\x00\\x1f>]|\\x9b"), "\(length.prefix(80))")
    }
  }

  @Test(.timeLimit(.minutes(5))) func `redis-cli --pipe loads ten thousand commands`() async throws {
    let client = try Tool.redisClient()
    try await withScript("examples/redis/redis.lua") { node, port in
      var commands = Data()
      for i in 0..<10_000 {
        let words = i % 10 == 9 ? ["INCR", "key:0:text"] : ["SET", "key:\(i)", "value \(i)"]
        commands += Data("*\(words.count)\r\n".utf8)
        for word in words { commands += Data("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
      }
      let said = try await client.expect(["-h", "127.0.0.1", "-p", port, "--pipe"], input: commands, seconds: 100)
      #expect(said.contains("errors: 0, replies: 10000"), "\(said)")
      #expect(try await node.call("size", [0]).first == 9001)
    }
  }

  @Test(.timeLimit(.minutes(5))) func `redis-benchmark runs with pipelining over twenty connections`() async throws {
    let benchmark = try Tool.redisBenchmark()
    try await withScript("examples/redis/redis.lua") { node, port in
      let run = try await benchmark.run(
        ["-h", "127.0.0.1", "-p", port, "-t", "ping,set,get,incr", "-n", "20000", "-P", "16", "-c", "20", "-q"], seconds: 150)
      #expect(run.status == 0, "\(run.text)\(run.errors)")
      #expect(!run.text.contains("WARN") && !run.errors.contains("WARN"), "\(run.text)\(run.errors)")
      for name in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"] {
        #expect(run.text.contains("\(name): ") && run.text.contains("requests per second"), "\(run.text)")
      }
      // Not one of the increments was lost.
      let counter = try await node.evaluate("node.state.databases[0]:get 'counter:__rand_int__'")
      #expect(counter.first == "20000")
      #expect(try await eventually { await node.node.counts.connected == 0 })
    }
  }
}
