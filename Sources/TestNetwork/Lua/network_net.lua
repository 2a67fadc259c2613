-- `net`: the network of one scenario.
local host = ...
local format = string.format
local native, time, text = host.network, host.time, host.lib.text
local nodes, properties, report = host.lib.network_node, host.lib.network_properties, host.lib.network_report

local Net = { __name = "net", __metatable = false }
local methods = {}
local states = setmetatable({}, { __mode = "k" })

local later = { link = true, partition = true, heal = true, intercept = true }

function Net.__index(_, key)
  local method = methods[key]
  if method then return method end
  if later[key] then report.fail(format("net:%s is not in this version: links cannot be changed yet", key)) end
  error(format("net has no %q%s", tostring(key), (text.hint(key, text.sorted_keys(methods)))), 2)
end

-- The net a method was called on, with a colon.
local function state_of(net, what)
  local state = states[net]
  if not state then error(format("%s: call it with a colon, on net; got %s", what, text.got(net)), 3) end
  return state
end

local function check_arguments(script, arguments, what)
  text.check(script, "string", what .. ": the script's file name", 3)
  text.optional(arguments, "table", what .. ": the arguments", 3)
end

-- node(script, arguments?) → a handle; the script's path starts at the scenario's folder
function methods.node(net, script, arguments)
  local state = state_of(net, "net:node")
  check_arguments(script, arguments, "net:node")
  local handle = nodes.start(script, arguments or {}, state.properties)
  properties.look(state.properties)
  return handle
end

-- nodes(count, script, arguments or function(i) → arguments) → a list of handles
function methods.nodes(net, count, script, arguments)
  local state = state_of(net, "net:nodes")
  if math.type(count) ~= "integer" or count < 1 then
    error("net:nodes: how many? A whole number of at least 1 is expected, got " .. text.got(count), 2)
  end
  local list = {}
  for i = 1, count do
    local given = arguments
    if type(arguments) == "function" then given = arguments(i) end
    check_arguments(script, given, "net:nodes")
    list[i] = nodes.start(script, given or {}, state.properties)
  end
  properties.look(state.properties)
  return list
end

local function topology_of(value)
  if type(value) ~= "table" or type(value.kind) ~= "string" then
    error("net:connect: a topology such as network.line() is expected, got " .. text.got(value), 3)
  end
  return value
end

-- connect(nodes, topology) → how many connections; returns when both ends of each have it
function methods.connect(net, list, topology)
  local state = state_of(net, "net:connect")
  text.check(list, "table", "net:connect: the nodes", 2)
  topology = topology_of(topology)
  local ids, expected = {}, {}
  for i, handle in ipairs(list) do
    ids[i] = nodes.id(handle, "net:connect", 2)
    expected[i] = native.connected(ids[i])
  end
  local edges = native.edges(topology.kind, topology.a or 0, topology.b or 0, #ids)
  for _, edge in ipairs(edges) do
    local from, to = edge[1], edge[2]
    native.connect(ids[from], ids[to])
    expected[from], expected[to] = expected[from] + 1, expected[to] + 1
  end
  properties.eventually(state.properties, "the network stands", 10, function()
    for i, id in ipairs(ids) do
      local connected = native.connected(id)
      if connected < expected[i] then
        return false, format("%s has %d of %d connections", list[i].name, connected, expected[i])
      end
    end
    return true
  end)
  return #edges
end

function methods.sleep(net, seconds)
  local state = state_of(net, "net:sleep")
  time.sleep(text.duration(seconds, "net:sleep", 2))
  properties.look(state.properties)
end

-- at(moment, fn): so long after the scenario's start; the scenario ends only when it has run.
function methods.at(net, moment, fn)
  local state = state_of(net, "net:at")
  text.check(fn, "function", "net:at: what to do", 2)
  local wait = state.started + text.duration(moment, "net:at", 2) - time.now()
  state.later(function()
    if wait > 0 then time.sleep(wait) end
    fn()
    properties.look(state.properties)
  end)
end

-- expect(value, message?) → the value, where it is neither false nor nil
function methods.expect(net, value, message)
  properties.look(state_of(net, "net:expect").properties)
  if not value then report.fail(message ~= nil and tostring(message) or "the expectation does not hold") end
  return value
end

function methods.fail(net, message)
  state_of(net, "net:fail")
  report.fail(message ~= nil and tostring(message) or "failed")
end

function methods.always(net, name, fn) properties.always(state_of(net, "net:always").properties, name, fn) end
function methods.sometimes(net, name, fn) properties.sometimes(state_of(net, "net:sometimes").properties, name, fn) end

function methods.eventually(net, name, within, fn)
  local held = properties.eventually(state_of(net, "net:eventually").properties, name, within, fn)
  return held
end

local M = {}

-- A net for one run; `later(fn)` runs a function beside the scenario's body.
function M.make(state)
  local net = setmetatable({}, Net)
  states[net] = state
  return net
end

return M
