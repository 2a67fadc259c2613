import LuaHost
import NodeScripting

/// The script of a node: the same hooks as ``SwiftLogic``, in the shapes that a reload may change.
struct ChaosScript {
  /// How its codec is written; the same bytes on the wire.
  enum Codec: Int, CaseIterable { case native, mapped, custom }
  /// What is wrong with the code that a reload brings.
  enum Fault: CaseIterable {
    case none, syntax, top, topLoop, topBomb, restore, restoreLoop, probation
  }

  var version: Int
  var codec: Codec
  var isSession: Bool
  var fault = Fault.none

  var source: ScriptSource {
    ScriptSource(name: "chaos-\(version).lua", text: counted + Self.common + head + hooks + (fault == .syntax ? "," : "") + "\n")
  }

  /// Its broadcasts are numbered by itself; on the first line, so that lines keep their numbers.
  private var counted: String { "local CODE, broadcasts = { id = \(version) }, 0 " }

  private var head: String {
    switch fault {
    case .top: "error('a top level that fails')\n"
    case .topLoop: "while true do end\n"
    case .topBomb: "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end\n"
    case .syntax: "local = 1\n"
    default: ""
    }
  }

  private var hooks: String {
    var entries = [
      "version = \(version)", "args = { key = 0 }", "codec = \(codecText)", Self.connectionHooks, Self.calls, Self.timers,
    ]
    entries.append(isSession ? "session = converse" : "process_message = take")
    switch fault {
    case .restore: entries.append("restore = function() error('a restore that fails') end")
    case .restoreLoop: entries.append("restore = function() while true do end end")
    case .probation: entries.append("on_connect = function(node, conn) connected(node, conn) error('code on probation') end")
    default: break
    }
    return "return { \(entries.joined(separator: ",\n")) }\n"
  }

  private var codecText: String {
    switch codec {
    case .native: "codec.length_prefixed()"
    case .mapped: "codec.map(codec.length_prefixed(), { decode = function(m) if #m >= 18 then lie(m, 18) end return m end })"
    case .custom:
      """
      codec.custom {
        max = "1MiB",
        decode = function(view)
          local size = view:u32(1)
          if not size then return nil, 4 end
          if #view < size + 4 then return nil, size + 4 end
          local m = view:bytes(5, size)
          local told, total = lie(m, 18)
          if told then return told, total end
          return m, size + 4
        end,
        encode = function(m) return string.pack(">s4", m) end,
      }
      """
    }
  }

  // Numbers are those of `Message.Action`; the log is how the script tells the record.
  private static let common = """
    local codec, log = require "moonpeer.codec", require "moonpeer.log"
    local HEADER = ">I4I8BI4B"
    local info = log.info
    local function pack(node, conn, lane, number, action, size)
      return string.pack(HEADER, node.args.key, conn.id, lane, number, action) .. ("x"):rep(size)
    end

    -- The number is given before the wait: those who wait go in the order in which they came.
    local function send(node, conn, action, size)
      -- Last words of a run that is not the connection's could still leave; nobody would know how many it was in the end.
      if conn.state.over then return nil end
      local number = (conn.state.sent or 0) + 1
      conn.state.sent = number
      local ok, sent = pcall(conn.send, conn, pack(node, conn, 0, number, action, size))
      if not ok then conn:abort() error(sent, 0) end
      return sent
    end

    local function broadcast(node, action, size)
      broadcasts = broadcasts + 1
      return node:broadcast(pack(node, CODE, 1, broadcasts, action, size))
    end

    local function bomb()
      local t = {}
      while true do t[#t + 1] = ("x"):rep(1000) .. #t end
    end

    local function lie(m, at)
      if m:byte(at) ~= 8 then return end
      local kind = m:byte(17) % 8
      if kind == 0 then error("a decoder that raises") end
      if kind == 1 then while true do end end
      if kind == 2 then return m, #m + 100000000 end
      if kind == 3 then return m, -5 end
      if kind == 4 then return m, 0 end
      if kind == 5 then return m, "many" end
      if kind == 6 then bomb() end
      return {}, 0 / 0
    end

    local doing = {
      [1] = function(node, conn) send(node, conn, 0, 40) end,
      [2] = function() error("asked to") end,
      [3] = function() while true do end end,
      [4] = bomb,
      [5] = function(_, conn) conn:disconnect("asked to") end,
      [6] = function(node) node:sleep("10ms") end,
      [7] = function(_, conn) conn:abort() end,
      [9] = function() error(setmetatable({}, { __tostring = function() error "no text" end })) end,
      [10] = function() local function f() return 1 + f() end return f() end,
      [11] = function() coroutine.wrap(function() while true do pcall(error) end end)() end,
      [12] = function() return #("x"):rep(1 << 30) end,
      [13] = function(node) node:shut_down() end,
      [14] = function(node, conn)
        conn:pause_reading()
        pcall(node.sleep, node, "10ms")
        conn:resume_reading()
      end,
      [15] = function(node) node:spawn(function() node:sleep("5ms") broadcast(node, 0, 30) end) end,
      [16] = function()
        local guard <close> = setmetatable({}, { __close = function() while true do end end })
        error(guard)
      end,
    }

    local function take(node, conn, m)
      local key, id, lane, number, action = string.unpack(HEADER, m)
      info(("m %d %d %d %d %d %d"):format(conn.id, key, id, lane, number, #m))
      local act = doing[action]
      if act then act(node, conn) end
    end

    local function converse(node, conn)
      while true do
        local m = conn:receive()
        if not m then return end
        take(node, conn, m)
      end
    end

    local function connected(node, conn)
      info(("c %d %s"):format(conn.id, conn.peer))
      local dice = node:random(300)
      if dice == 1 then error("not this one") end
      if dice == 2 then while true do end end
      if dice < 10 then node:sleep("5ms") end
    end

    """

  private static let connectionHooks = """
    handshake = function(node, conn)
      conn:write(string.pack(">I4I8", node.args.key, conn.id))
      local key, id = string.unpack(">I4I8", conn:read(12))
      local dice = node:random(200)
      if dice == 1 then error("not with you") end
      if dice == 2 then while true do end end
      if dice == 3 then node:sleep("1m") end
      if dice < 10 then node:sleep("5ms") end
      return key .. ":" .. id
    end,
    on_connect = connected,
    on_disconnect = function(node, conn, reason)
      conn.state.over = true
      info(("d %d %d %s"):format(conn.id, conn:stats().messages_sent, reason.kind))
      local dice = node:random(300)
      if dice == 1 then error("an end with a fault") end
      if dice == 2 then while true do end end
      if dice < 20 then node:sleep("3ms") end
    end,
    on_shutdown = function(node)
      broadcast(node, 0, 10)
      if node:random(3) == 1 then node:sleep("5ms") end
    end
    """

  private static let calls = """
    calls = {
      send = function(node, pick, size, actions)
        local all = node:connections()
        local conn = all[pick % math.max(#all, 1) + 1]
        if not conn then return 0 end
        for _, action in ipairs(actions) do
          if not send(node, conn, action, size) then break end
        end
        return #actions
      end,
      broadcast = broadcast,
      dial = function(node, address)
        local conn, problem = node:connect(address)
        return conn and "connected" or problem.kind
      end,
      drop = function(node, pick)
        local all = node:connections()
        local conn = all[pick % math.max(#all, 1) + 1]
        return conn and node:disconnect(conn)
      end,
      fault = function(node, action) doing[action](node) end,
    }
    """

  private static let timers = """
    timers = { tick = { every = "50ms", run = function(node) node.state.ticks = (node.state.ticks or 0) + 1 end } }
    """
}
