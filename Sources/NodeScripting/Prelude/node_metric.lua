-- node:metric: metrics of the script's own. What they hold is kept in Swift, by node and name, and outlives this VM; a handle
-- is the metric's number and what its labels are called.
local host = ...
local text, check = host.lib.text, host.lib.node_handle.check
local error, getmetatable, ipairs, pairs, setmetatable = error, getmetatable, ipairs, pairs, setmetatable
local tostring, type, format, unpack = tostring, type, string.format, table.unpack
local declare, record_value = host.node.metric, host.node.metric_record

local methods = {}
local Metric = { __name = "metric", __plain = false, __index = text.complete("a metric", methods) }
local known_kinds = { counter = true, gauge = true, histogram = true }

local function bad_label(name, labels, names)
  for _, key in ipairs(text.sorted_keys(labels)) do
    local is_known = false
    for _, known in ipairs(names) do is_known = is_known or key == known end
    if not is_known then
      error(format("metric:%s: no label %s is declared%s", name, text.got(key), (text.hint(key, names))), 4)
    end
  end
end

-- The values in the order the labels were declared in; every one must be given, and no other.
local function values_of(names, labels, name)
  if labels == nil then labels = {} end
  if type(labels) ~= "table" then
    error(format("metric:%s: a table of labels is expected, got %s", name, text.got(labels)), 4)
  end
  local values = {}
  for i, label in ipairs(names) do
    local value = labels[label]
    local kind = type(value)
    if value == nil then
      bad_label(name, labels, names)
      error(format("metric:%s: the label %q is missing", name, label), 4)
    end
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      error(format("metric:%s: the label %q must be a string, a number or a boolean, got %s", name, label,
        text.got(value)), 4)
    end
    values[i] = tostring(value)
  end
  local count = 0
  for _ in pairs(labels) do count = count + 1 end
  if count > #names then bad_label(name, labels, names) end
  return values
end

local function record(metric, name, number, labels)
  if getmetatable(metric) ~= Metric then
    error(format("metric:%s: call it with a colon, on a metric; got %s", name, text.got(metric)), 3)
  end
  text.check(number, "number", "metric:" .. name .. ": the number", 3)
  local values = values_of(metric[2], labels, name)
  local problem = record_value(metric[1], name, number, unpack(values))
  if problem then error(format("metric:%s: %s: %s", name, metric.name, problem), 3) end
end

-- add(number = 1, labels?)  for counters and gauges
function methods.add(metric, number, labels)
  if number == nil then number = 1 end
  record(metric, "add", number, labels)
end

-- set(number, labels?)      for gauges
function methods.set(metric, number, labels)
  record(metric, "set", number, labels)
end

-- observe(number, labels?)  for histograms
function methods.observe(metric, number, labels)
  record(metric, "observe", number, labels)
end

local function list(value, expected, what)
  local copy = {}
  for i, item in ipairs(value) do
    text.check(item, expected, format("%s: entry %d", what, i), 4)
    copy[i] = item
  end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  if count ~= #copy then error(what .. " must be a list", 4) end
  return copy
end

local M = { methods = {} }

-- metric(name, { kind, help, labels, buckets }) → a handle; the same metric for the same name
function M.methods.metric(node, name, options)
  check(node, "metric")
  text.check(name, "string", "node:metric: the name", 2)
  if options == nil then
    error("node:metric: options are missing; say at least { kind = \"counter\" }", 2)
  end
  text.options(options, "node:metric", { "kind", "help", "labels", "buckets" }, 2)
  local kind, help, labels, buckets = options.kind, options.help, options.labels, options.buckets
  if not known_kinds[kind] then
    error("node:metric: kind must be \"counter\", \"gauge\" or \"histogram\", got " .. text.got(kind), 2)
  end
  text.optional(help, "string", "node:metric: help", 2)
  text.optional(labels, "table", "node:metric: labels", 2)
  text.optional(buckets, "table", "node:metric: buckets", 2)
  if buckets and kind ~= "histogram" then error("node:metric: buckets are for histograms", 2) end
  local names = labels and list(labels, "string", "node:metric: labels") or {}
  local id, problem = declare(name, kind, help, names, buckets and list(buckets, "number", "node:metric: buckets"))
  if not id then error(format("node:metric: %s: %s", text.got(name), problem), 2) end
  return setmetatable({ id, names, name = name, kind = kind }, Metric)
end

return M
