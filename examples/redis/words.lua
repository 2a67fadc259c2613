-- Cuts a line into words as redis-cli does: "double quotes" know \n, \x41 and the like, 'single quotes' only \'.

local escapes = { n = "\n", r = "\r", t = "\t", b = "\b", a = "\a" }

-- The quoted word that starts at `at`, and what follows it; nothing where the quote is not closed.
local function quoted(line, at)
  local quote, word, i = line:sub(at, at), {}, at + 1
  while i <= #line do
    local char = line:sub(i, i)
    if char == quote then return table.concat(word), i + 1 end
    local hex = quote == '"' and line:match("^\\x(%x%x)", i)
    if hex then
      char, i = string.char(tonumber(hex, 16)), i + 3
    elseif char == "\\" and i < #line and (quote == '"' or line:sub(i + 1, i + 1) == "'") then
      char, i = line:sub(i + 1, i + 1), i + 1
      if quote == '"' then char = escapes[char] or char end
    end
    word[#word + 1], i = char, i + 1
  end
end

-- words(line) → the list, or nil where a quote is not closed or has no blank after it
return function(line)
  local list, at = {}, line:find "%S"
  while at do
    local word, after
    if line:find("^[\"']", at) then
      word, after = quoted(line, at)
      if not word or line:find("^%S", after) then return nil end
    else
      word, after = line:match("^(%S+)()", at)
    end
    list[#list + 1] = word
    at = line:find("%S", after)
  end
  return list
end
