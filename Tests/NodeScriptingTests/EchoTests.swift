import LuaHost
import NodeEngine
import NodeScripting
import Testing

let echo = """
  local codec = require "moonpeer.codec"
  return { codec = codec.length_prefixed(), process_message = function(_, conn, m) conn:send(m) end }
  """

@Test(.timeLimit(.minutes(5))) func `A request to an echo comes back`() async throws {
  try await withNode(echo) { server in
    let client = """
      local codec = require "moonpeer.codec"
      return { codec = codec.length_prefixed(), process_message = function() end,
        calls = { ask = function(node, address, text)
          local conn = assert(node:connect(address))
          return conn:request(text)
        end } }
      """
    try await withNode(client) { client in
      let address = await server.node.address!
      let answer = try await client.call("ask", [LuaValue("\(address)"), "hello"])
      #expect(answer.first == "hello")
    }
  }
}
