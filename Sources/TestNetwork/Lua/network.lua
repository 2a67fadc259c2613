-- moonpeer.network: scripted test networks. Scenarios are collected while the file loads and run by the host.
local host = ...
local native, new_error, text, tasks = host.network, host.error.new, host.lib.text, host.lib.tasks
local time = host.time

local M = {}
local scenarios = {}

-- Where the scenario's own code called us: the first line of the stack that is not shipped.
local function place()
  for line in debug.traceback("", 2):gmatch("[^\n]+") do
    local where = line:match("^%s*([^%s][^:]*:%d+): in ")
    if where and not where:find("^moonpeer%.") and not where:find("^%[") then return where end
  end
  return "?"
end

local function fail(message) error(new_error("expectation", message, { where = place() }), 0) end

function M.scenario(name, options, fn)
  if fn == nil then options, fn = {}, options end
  if type(name) ~= "string" or name == "" then error("network.scenario: a name is expected", 2) end
  if type(fn) ~= "function" then error("network.scenario: a function(net) is expected, got " .. type(fn), 2) end
  options = text.options(options, "network.scenario", { "timeout" }, 2)
  for _, other in ipairs(scenarios) do
    if other.name == name then error(("network.scenario: %q stands twice in this file"):format(name), 2) end
  end
  scenarios[#scenarios + 1] = { name = name, fn = fn, where = place(),
    timeout = text.duration(options.timeout or 60, "network.scenario: timeout", 2) }
end

-- Topologies: who dials whom is worked out natively.
function M.line() return { kind = "line" } end
function M.ring() return { kind = "ring" } end
function M.mesh() return { kind = "mesh" } end
function M.star() return { kind = "star" } end
function M.grid(options)
  options = text.options(options, "network.grid", { "width", "height" }, 2)
  return { kind = "grid", a = options.width or 0, b = options.height or 0 }
end
function M.tree(options)
  options = text.options(options, "network.tree", { "branching" }, 2)
  return { kind = "tree", a = options.branching or 2 }
end
function M.random(options)
  options = text.options(options, "network.random", { "degree", "seed" }, 2)
  return { kind = "random", a = options.degree or 3, b = options.seed or 0 }
end

-- ---- node handles

local Node = { __name = "node handle", __metatable = false }
local handles = setmetatable({}, { __mode = "k" })

local later = { reload = true, pause = true, resume = true }

-- What a handle has, for the hint about a name it does not have.
local function names_of(methods, fields)
  local names = {}
  for name, value in pairs(methods) do
    if type(value) == "function" and not name:find("^__") then names[#names + 1] = name end
  end
  for _, name in ipairs(fields) do names[#names + 1] = name end
  table.sort(names)
  return names
end

function Node.__index(self, key)
  local method = rawget(Node, key)
  if method then return method end
  if key == "name" or key == "id" then return handles[self][key] end
  if key == "address" then return native.address(handles[self].id) end
  if later[key] then
    error(("node handle: %s is not in this version: the real world cannot do it yet"):format(key), 2)
  end
  error(("a node handle has no %q%s"):format(tostring(key),
    (text.hint(key, names_of(Node, { "address", "id", "name" })))), 2)
end
Node.__tostring = function(self) return "node " .. handles[self].name end

local function id_of(what, value)
  local found = handles[value]
  if not found then error(("%s: a node handle is expected, got %s"):format(what, type(value)), 3) end
  return found.id
end

function Node.call(self, name, ...) return native.call(id_of("call", self), name, ...) end
function Node.eval(self, code, ...) return native.eval(id_of("eval", self), code, ...) end
function Node.connections(self) return native.connections(id_of("connections", self)) end
function Node.stats(self) return native.stats(id_of("stats", self)) end
function Node.heuristics(self) return native.heuristics(id_of("heuristics", self)) end
function Node.crash(self) return native.stop(id_of("crash", self), true) end
function Node.shut_down(self) return native.stop(id_of("shut_down", self), false) end
function Node.restart(self) return native.restart(id_of("restart", self)) end

-- ---- the network of one scenario

local Net = { __name = "net", __metatable = false }
local impossible = { link = true, partition = true, heal = true, intercept = true }

function Net.__index(_, key)
  local method = rawget(Net, key)
  if method then return method end
  if impossible[key] then
    fail(("net:%s is not possible in the real world of this version: links are not simulated yet"):format(key))
  end
  error(("net has no %q%s"):format(tostring(key), (text.hint(key, names_of(Net, {})))), 2)
end

local states = setmetatable({}, { __mode = "k" })

local function check_always(state)
  for _, property in ipairs(state.always) do
    property.checks = property.checks + 1
    local ok, problem = property.fn()
    if not ok then
      error(new_error("expectation", ("always %q does not hold%s"):format(property.name,
        problem and ": " .. tostring(problem) or ""), { where = property.where }), 0)
    end
  end
  for _, property in ipairs(state.sometimes) do
    property.checks = property.checks + 1
    if not property.held and property.fn() then property.held = true end
  end
end

-- After every step the scenario takes, and at every tick: one look at a time.
local function look(state)
  if state.looking then return end
  state.looking = true
  local guard <close> = setmetatable({}, { __close = function() state.looking = false end })
  check_always(state)
  return guard and nil
end

function Net.node(self, script, args)
  if type(script) ~= "string" then error("net:node: a script's file name is expected, got " .. type(script), 2) end
  if args ~= nil and type(args) ~= "table" then error("net:node: the arguments must be a table", 2) end
  local started = native.start(script, args or {})
  local handle = setmetatable({}, Node)
  handles[handle] = started
  look(states[self])
  return handle
end

function Net.nodes(self, count, script, args)
  if math.type(count) ~= "integer" or count < 1 then
    error("net:nodes: how many nodes? A whole number of at least 1 is expected", 2)
  end
  local list = {}
  for i = 1, count do
    local given = type(args) == "function" and args(i) or args
    list[i] = self:node(script, given)
  end
  return list
end

function Net.connect(self, nodes, topology)
  if type(nodes) ~= "table" or type(topology) ~= "table" or not topology.kind then
    error("net:connect: a list of nodes and a topology such as network.line() are expected", 2)
  end
  local edges = native.edges(topology.kind, topology.a or 0, topology.b or 0, #nodes)
  local degree = {}
  for _, edge in ipairs(edges) do
    local from, to = nodes[edge[1]], nodes[edge[2]]
    native.connect(id_of("net:connect", from), id_of("net:connect", to))
    degree[from] = (degree[from] or 0) + 1
    degree[to] = (degree[to] or 0) + 1
  end
  self:eventually("the network stands", "10s", function()
    for _, node in ipairs(nodes) do
      if native.connected(handles[node].id) < (degree[node] or 0) then return false end
    end
    return true
  end)
  return #edges
end

function Net.sleep(self, seconds)
  time.sleep(text.duration(seconds, "net:sleep", 2))
  look(states[self])
end

-- So long after the scenario's start; the scenario ends only when it has run.
function Net.at(self, moment, fn)
  local state = states[self]
  local wait = state.started + text.duration(moment, "net:at", 2) - time.now()
  state.pending[#state.pending + 1] = tasks.spawn(function()
    if wait > 0 then time.sleep(wait) end
    fn()
  end)
end

function Net.expect(self, value, message)
  look(states[self])
  if not value then fail(message and tostring(message) or "the expectation does not hold") end
  return value
end

function Net.fail(_, message) fail(tostring(message or "failed")) end

function Net.eventually(self, name, within, fn)
  local state = states[self]
  local limit = text.duration(within, "net:eventually", 2)
  local stop, pause = time.now() + limit, 0.002
  local ok, problem
  while true do
    ok, problem = fn()
    look(state)
    if ok then
      state.eventually = state.eventually + 1
      return ok
    end
    if time.now() >= stop then break end
    time.sleep(pause)
    pause = math.min(pause * 1.5, 0.05)
  end
  fail(("eventually %q did not hold within %g s%s"):format(name, limit, problem and ": " .. tostring(problem) or ""))
end

local function property(self, kind, name, fn)
  if type(name) ~= "string" or type(fn) ~= "function" then
    error(("net:%s: a name and a function are expected"):format(kind), 3)
  end
  local list = states[self][kind]
  list[#list + 1] = { name = name, fn = fn, checks = 0, where = place() }
end

function Net.always(self, name, fn) property(self, "always", name, fn) end
function Net.sometimes(self, name, fn) property(self, "sometimes", name, fn) end

-- ---- for the host

function M.list()
  local list = {}
  for i, scenario in ipairs(scenarios) do list[i] = { name = scenario.name, where = scenario.where } end
  return list
end

local function finish(state)
  for _, task in ipairs(state.pending) do task:join() end
  look(state)
  for _, sometimes in ipairs(state.sometimes) do
    if not sometimes.held then
      error(new_error("expectation", ("sometimes %q never held (%d looks)"):format(sometimes.name, sometimes.checks),
        { where = sometimes.where }), 0)
    end
  end
end

-- A task whose failure is the scenario's.
local function side(state, fn)
  return tasks.spawn(function()
    local ok, problem = pcall(fn)
    if not ok and not state.failure then state.failure = { problem } end
  end)
end

-- Runs one scenario: how often properties were looked at; raises what failed.
function M.run(index)
  local scenario = scenarios[index]
  local net = setmetatable({}, Net)
  local state = { always = {}, sometimes = {}, pending = {}, eventually = 0, started = time.now() }
  states[net] = state
  local done = false
  local running = {
    side(state, function()
      while true do
        time.sleep(0.02)
        look(state)
      end
    end),
    side(state, function()
      scenario.fn(net)
      finish(state)
      done = true
    end),
  }
  local guard <close> = setmetatable({}, { __close = function()
    for _, list in ipairs { running, state.pending } do
      for _, task in ipairs(list) do task:cancel() end
    end
  end })
  local stop = time.now() + scenario.timeout
  while not done and not state.failure do
    if time.now() >= stop then
      error(new_error("timeout", ("the scenario did not end within %g s"):format(scenario.timeout),
        { where = scenario.where }), 0)
    end
    time.sleep(0.003)
  end
  if state.failure then error(state.failure[1], 0) end
  local looks = 0
  for _, list in ipairs { state.always, state.sometimes } do
    for _, entry in ipairs(list) do looks = looks + entry.checks end
  end
  return guard and looks, state.eventually
end

return M
