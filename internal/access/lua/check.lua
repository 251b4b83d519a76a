
-- check: tells what stands in the way of using some keys. It writes nothing.
--
-- KEYS     the keys
-- ARGV     1 commands whose permission is asked for, as a JSON list of lists, in which a number n stands for KEYS[n]
--          2 commands to be tried, in the same form: writes that change nothing, because their arguments don't allow it. One with
--            NOMKSTREAM is tried on a stream that has entries only
-- Replies  OK types (of the keys: what TYPE says, or its error) denied (the places of commands in their list) error (of the first
--          trial that failed)
-- A server without redis.acl_check_cmd (the embedded one, proxies) denies and tries nothing. A command that the server does not know is
-- denied to nobody: abilities.lua asks for those.

-- commands puts the keys in.
local function commands(json)
  local list = cjson.decode(json)
  for _, command in ipairs(list) do
    for i, word in ipairs(command) do
      if type(word) == 'number' then
        command[i] = KEYS[word]
      end
    end
  end
  return list
end

-- harmless reports whether a trial changes nothing: the ID 0-1 is below the last one of a stream that has entries.
local function harmless(command)
  if command[3] ~= 'NOMKSTREAM' then
    return true
  end
  local length = redis.pcall('XLEN', command[2])
  return type(length) == 'number' and length > 0
end

-- expected reports whether a trial was refused because of its arguments alone.
local function expected(err)
  return string.find(err, 'greater than 0-0', 1, true) or string.find(err, 'equal or smaller', 1, true)
end

local types = {}
for i, key in ipairs(KEYS) do
  local kind = redis.pcall('TYPE', key)
  types[i] = err_of(kind) or (type(kind) == 'table' and kind.ok) or kind
end

local denied, failed = {}, ''
if redis.acl_check_cmd then
  for place, command in ipairs(commands(ARGV[1])) do
    local known, allowed = pcall(redis.acl_check_cmd, unpack(command))
    if known and not allowed then
      denied[#denied + 1] = text(place)
    end
  end
  if #denied == 0 then
    for _, command in ipairs(commands(ARGV[2])) do
      local err = harmless(command) and err_of(redis.pcall(unpack(command)))
      if err and failed == '' and not expected(err) then
        failed = err
      end
    end
  end
end
return {'OK', types, denied, failed}
