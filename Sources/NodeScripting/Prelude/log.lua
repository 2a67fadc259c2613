-- moonpeer.log: log.info("text", { key = value }), from trace to error.
local host = ...
local write = host.log.write

local M = {}
for name, level in pairs { trace = "trace", debug = "debug", info = "info", warning = "warning", warn = "warning",
  error = "error" } do
  M[name] = function(text, fields)
    if fields ~= nil and type(fields) ~= "table" then
      error(("log.%s: the fields must be a table, got %s"):format(name, type(fields)), 2)
    end
    write(level, tostring(text), fields)
  end
end

return M
