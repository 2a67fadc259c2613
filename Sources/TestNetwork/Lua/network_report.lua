-- What a scenario file declared, and how a scenario fails: with the line of the author's that asked for it.
local host = ...
local new_error = host.error.new
local traceback, error, tostring, type, xpcall = debug.traceback, error, tostring, type, xpcall

local M = { scenarios = {} }

-- Where the scenario's own code called us: the first line of the stack that is not shipped.
function M.place()
  for line in traceback("", 2):gmatch("[^\n]+") do
    local where = line:match("^%s*([^%s][^:]*:%d+): in ")
    if where and not where:find("^moonpeer%.") and not where:find("^%[") then return where end
  end
  return "?"
end

function M.fail(message, where)
  error(new_error("expectation", message, { where = where or M.place() }), 0)
end

-- The stack as the author knows it: lines of their own code, and what of ours it called.
local function stack()
  local shown, pending = { "stack traceback:" }, nil
  for line in traceback("", 3):gmatch("\n\t([^\n]+)") do
    local is_native = line:find("^%[C%]")
    local is_authors = not is_native and not line:find("^moonpeer%.") and not line:find("^%(")
    if is_authors and pending then shown[#shown + 1] = pending end
    if is_authors then shown[#shown + 1] = line end
    pending = is_native and line
  end
  return #shown > 1 and table.concat(shown, "\n\t") or nil
end

-- A message handler: an error as a failure with `where`, `traceback` and, for what the author asked for, kind "expectation".
local function explain(problem)
  local where, kind = M.place(), "script"
  local message = tostring(problem)
  if type(problem) == "table" then
    where, kind = problem.where or where, problem.kind or kind
  end
  if message:sub(1, #where + 2) == where .. ": " then message = message:sub(#where + 3) end
  return new_error(kind, message, { where = where, traceback = stack() })
end

-- guard(fn, …) → whether it went well, and its failure
function M.guard(fn, ...)
  return xpcall(fn, explain, ...)
end

-- What a property's function gave beside its verdict, as the end of a sentence.
function M.reason(problem)
  return problem ~= nil and ": " .. tostring(problem) or ""
end

return M
