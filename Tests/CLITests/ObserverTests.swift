import Foundation
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct `Looking at running nodes` {
  @Test func `--metrics says where, serves what the nodes counted, and ends with them`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let program = try Program(["run", "life.lua", "--count", "2", "--metrics", "0"], in: folder)
    let url = String(try await program.outputLine("metrics on ").split(separator: " ").last!)
    _ = try await program.outputLine("life-2 listens on ")
    #expect(url.hasPrefix("http://127.0.0.1:") && url.hasSuffix("/metrics"))
    let code = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=60).read().decode())"
    let scrape = try await Program(["-c", code, url], program: "python3", in: folder).finish()
    #expect(scrape.status == 0, "\(scrape)")
    for line in [
      #"moonpeer_connections{node="life-1"} 0"#, #"moonpeer_hook_duration_seconds_count{node="life-2",hook="init"} 1"#,
      "moonpeer_nodes 2",
    ] { #expect(scrape.output.contains("\n\(line)\n"), "\(scrape)") }
    let second = try await moonpeer(
      "run", "life.lua", "--metrics", String(url.split(separator: "/")[1]), "--capture", "x.pcapng", in: folder)
    #expect(second.status == 69 && second.output.isEmpty, "\(second)")
    // A run that did not begin leaves no capture either.
    #expect(!folder.has("x.pcapng"))
    #expect(second.errors.contains("the address is in use; choose another port, or 0 for any"), "\(second)")
    program.signal(SIGTERM)
    #expect(try await program.finish().status == 0)
  }

  @Test func `--capture writes a file for its owner, and says what is in it`() async throws {
    let folder = try Folder(["life.lua": Scripts.life])
    let server = try Program(["run", "life.lua", "--name", "server", "--capture", "x.pcapng"], in: folder)
    let address = String(try await server.outputLine(" listens on ").split(separator: " ").last!)
    let client = try Program(["run", "life.lua", "--name", "client", "--connect", address, "--listen", "none"], in: folder)
    _ = try await client.errorLine("text=\"you said hello from client\"")
    client.signal(SIGINT)
    #expect(try await client.finish().status == 0)
    _ = try await server.errorLine("gone")
    server.signal(SIGINT)
    let run = try await server.finish()
    #expect(run.status == 0 && run.errors.contains("captured to x.pcapng packets="), "\(run)")
    var status = stat()
    #expect(stat(folder.path + "/x.pcapng", &status) == 0 && status.st_mode & 0o777 == 0o600)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/x.pcapng"))
    #expect(bytes.prefix(4) == Data([0x0A, 0x0D, 0x0D, 0x0A]))
    #expect(bytes.range(of: Data("you said hello from client".utf8)) != nil)
    #expect(bytes.range(of: Data("server conn 1 received: ".utf8)) != nil)
  }

  @Test func `JSON log lines have node, generation and connection as fields of their own`() async throws {
    let folder = try Folder([
      "forger.lua": """
      local log = require "moonpeer.log"
      return {
        on_connect = function(_, conn)
          log.info("mine", { node = "other", conn = 99, generation = 5, peer = "nobody", level = "error" })
        end,
      }
      """
    ])
    let server = try Program(["run", "forger.lua", "--log-format", "json"], in: folder)
    let address = String(try await server.outputLine(" listens on ").split(separator: " ").last!)
    let client = try Program(["run", "forger.lua", "--connect", address, "--listen", "none"], in: folder)
    let line = try await server.errorLine("mine")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["node"] as? String == "forger" && object["level"] as? String == "info")
    #expect(object["generation"] as? Int == 1 && object["conn"] as? Int == 1)
    let metadata = try #require(object["metadata"] as? [String: String])
    #expect(metadata["peer"]?.hasPrefix("127.0.0.1:") == true)
    #expect(metadata["node_"] == "other" && metadata["conn_"] == "99" && metadata["generation_"] == "5")
    #expect(metadata["peer_"] == "nobody" && metadata["level"] == "error")
    for program in [client, server] {
      program.signal(SIGTERM)
      #expect(try await program.finish().status == 0)
    }
  }
}
