-- moonpeer.network: scripted test networks. Scenarios are collected while the file loads; the host runs them.
local host = ...
local format = string.format
local text, report = host.lib.text, host.lib.network_report

local M = {}
local scenarios = report.scenarios

-- scenario(name, { timeout = "60s" }?, function(net) … end)
function M.scenario(name, options, fn)
  if fn == nil then options, fn = nil, options end
  if type(name) ~= "string" or name == "" then
    error("network.scenario: a name is expected first, got " .. text.got(name), 2)
  end
  if type(fn) ~= "function" then error("network.scenario: a function(net) is expected, got " .. text.got(fn), 2) end
  options = text.options(options, "network.scenario", { "timeout" }, 2)
  for _, other in ipairs(scenarios) do
    if other.name == name then
      error(format("network.scenario: %q stands twice in this file, first at %s", name, other.where), 2)
    end
  end
  scenarios[#scenarios + 1] = { name = name, fn = fn, where = report.place(),
    timeout = text.duration(options.timeout or 60, "network.scenario: timeout", 2) }
end

-- Topologies: who dials whom is worked out natively, when the network is connected.
function M.line() return { kind = "line" } end
function M.ring() return { kind = "ring" } end
function M.mesh() return { kind = "mesh" } end
function M.star() return { kind = "star" } end

local function whole(value, what)
  text.check(value, "integer", what, 3)
  return value
end

function M.grid(options)
  options = text.options(options, "network.grid", { "width", "height" }, 2)
  return { kind = "grid", a = whole(options.width, "network.grid: width"),
    b = whole(options.height, "network.grid: height") }
end

function M.tree(options)
  options = text.options(options, "network.tree", { "branching" }, 2)
  return { kind = "tree", a = whole(options.branching or 2, "network.tree: branching") }
end

function M.random(options)
  options = text.options(options, "network.random", { "degree", "seed" }, 2)
  return { kind = "random", a = whole(options.degree or 3, "network.random: degree"),
    b = whole(options.seed or 0, "network.random: seed") }
end

return text.module("moonpeer.network", M)
