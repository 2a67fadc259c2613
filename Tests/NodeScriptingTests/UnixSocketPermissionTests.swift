import Foundation
import LuaHost
import NodeCore
import NodeEngine
import NodeScripting
import Testing

/// Unix sockets a script may dial and listen at: those that whoever runs it has named, and no others.
@Suite(.onEveryBackend, .timeLimit(.minutes(5))) struct UnixSocketPermissionTests {
  private final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("mp-\(UUID().uuidString.prefix(8))").path
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
  }

  private let everyWay = """
    local path = ...
    local kinds = {}
    for _, try in ipairs {
      function() return node:connect("unix:" .. path) end, function() return node:open("unix:" .. path) end,
      function() return node:listen("unix:" .. path .. ".new") end,
      function() return node:connect("127.0.0.1:1", { local_address = "unix:" .. path .. ".own" }) end,
    } do
      local result, problem = try()
      kinds[#kinds + 1] = result and "done" or problem.kind
    end
    return table.concat(kinds, " ")
    """

  @Test(arguments: [false, true])
  func `None that nobody has named, trusted or not, and no file is made`(isTrusted: Bool) async throws {
    let folder = try Folder()
    try await withNodes { nodes in
      let server = try await nodes.start("return {}") { $0.configuration = [("listen", .string("unix:\(folder.path)/a"))] }
      let client = try await nodes.start("return {}") { $0.isTrusted = isTrusted }
      #expect(try await client.lua(everyWay, LuaValue(folder.path + "/a")) == "not_allowed not_allowed not_allowed not_allowed")
      let message =
        try await client.lua("return select(2, node:connect(...)).message", LuaValue("unix:\(folder.path)/a")).text ?? ""
      #expect(message.hasPrefix("unix:\(folder.path)/a: this script may not use that Unix socket; "))
      #expect(message.contains("--unix-sockets PATH"))
      // What a peer can bring about is no mistake of the script's.
      #expect(await client.node.heuristics().scriptErrors == 0)
      #expect(await server.node.statistics().messagesReceived == 0)
      #expect(await server.node.counts.connected == 0)
      #expect(folder.names == ["a"])
    }
  }

  @Test(arguments: ["../\u{301}x", "deep/\u{301}x", "..//\u{301}x", "\u{600}/x"])
  func `A folder that is named is left by no name that looks like one in it`(name: String) async throws {
    let folder = try Folder()
    let inner = folder.path + "/inner"
    try FileManager.default.createDirectory(atPath: inner + "/deep", withIntermediateDirectories: true)
    try await withNodes { nodes in
      let node = try await nodes.start("return {}") { $0.unixSockets = [inner] }
      let kind = "return select(2, node:listen('unix:' .. ...)).kind"
      #expect(try await node.lua(kind, LuaValue("\(inner)/\(name)")) == "not_allowed")
      #expect(try await node.lua("return node:listen('unix:' .. ...) ~= nil", LuaValue(inner + "/a")) == .boolean(true))
      #expect(folder.names == ["inner"])
    }
  }

  @Test func `One that is named is named by its bytes, and an address that was given is allowed as it is`() async throws {
    let folder = try Folder()
    try FileManager.default.createDirectory(atPath: folder.path + "/deep", withIntermediateDirectories: false)
    try await withNodes { nodes in
      let node = try await nodes.start("return {}") {
        $0.unixSockets = [folder.path + "/k\u{e4}se", ""]
        $0.configuration = [("listen", .string("unix:\(folder.path)/deep/../b"))]
      }
      let listen = "local bound, problem = node:listen('unix:' .. ...) return bound and 'done' or problem.kind"
      #expect(try await node.lua(listen, LuaValue(folder.path + "/ka\u{308}se")) == "not_allowed")
      #expect(try await node.lua(listen, LuaValue(folder.path + "/k\u{e4}se")) == "done")
      #expect(try await node.lua(listen, LuaValue("mp-nowhere")) == "not_allowed")
      #expect(folder.names.contains("b"))
    }
  }

  @Test func `Its own config names none: the node does not start, and is not reloaded to it`() async throws {
    let folder = try Folder()
    let text = "return {\n  config = { listen = 'unix:\(folder.path)/a' },\n}"
    try await withNodes { nodes in
      let problem = await failure { _ = try await nodes.start(text) }
      #expect(problem?.code == .configuration && problem?.location == "test.lua:2")
      #expect(problem?.message.hasPrefix("config: listen: unix:\(folder.path)/a: this script may not use") == true)
      let node = try await nodes.start("return {}")
      let reload = await failure { _ = try await node.reload(ScriptSource(name: "test.lua", text: text)) }
      #expect(reload?.code == .configuration)
      #expect(folder.names.isEmpty)
      // Where the caller says where to listen, what the script would have liked does not matter.
      let elsewhere = try await nodes.start(text) { $0.configuration = [("listen", .string("none"))] }
      #expect(await elsewhere.node.address == nil)
    }
  }

  @Test func `Those that are named by path or folder, as the system would take them`() async throws {
    let folder = try Folder()
    try FileManager.default.createDirectory(atPath: folder.path + "/sub", withIntermediateDirectories: false)
    try await withNodes { nodes in
      let byPath = try await nodes.start("return { config = { listen = 'unix:\(folder.path)/a' } }") {
        $0.unixSockets = [folder.path + "/a"]
      }
      let byFolder = try await nodes.start("return {}") { $0.unixSockets = [folder.path + "/"] }
      let dial = "local conn, problem = node:open('unix:' .. ...) return conn and 'open' or problem.kind"
      #expect(try await byFolder.lua(dial, LuaValue(folder.path + "/a")) == "open")
      #expect(try await byFolder.lua(dial, LuaValue(folder.path + "//./a")) == "open")
      let bound = try await byFolder.lua("return (node:listen('unix:' .. ...))", LuaValue(folder.path + "/b"))
      #expect(bound == LuaValue("unix:\(folder.path)/b"))
      #expect(try await byPath.lua(dial, LuaValue(folder.path + "/a")) == "self")
      for (node, path) in [
        (byPath, "/b"), (byFolder, "/sub/a"), (byFolder, "/sub/../a"), (byFolder, "/../a"), (byFolder, ""), (byFolder, "a"),
      ] {
        // The folder itself could be a socket of that name; it is allowed, and is none.
        let expected: LuaValue = path.isEmpty ? "system" : "not_allowed"
        let kind = try await node.lua(dial, LuaValue(path == "a" ? "a" : folder.path + path))
        #expect(kind == expected || path.isEmpty && kind == "refused", "\(path): \(kind)")
      }
    }
  }

  @Test func `What the caller gives as listen the script may come back to, and a dial from Swift goes anywhere`() async throws {
    let folder = try Folder()
    try await withNodes { nodes in
      let server = try await nodes.start("return {}") { $0.configuration = [("listen", .list(["unix:\(folder.path)/a"]))] }
      #expect(try await server.lua("node:stop_listening() return (node:listen())") == LuaValue("unix:\(folder.path)/a"))
      let client = try await nodes.start("return {}")
      _ = try await client.node.connect(to: .unix(folder.path + "/a"))
      #expect(await client.node.counts.connected == 1)
    }
  }
}
