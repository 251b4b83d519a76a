
-- check: returns the types of some keys and the permissions that the user lacks, and tries writes
-- that change nothing.
--
-- KEYS     the keys
-- ARGV     1 commands of which the permission is checked: a JSON list of lists, in which a number n
--            stands for KEYS[n]
--          2 commands that are tried, in the same form: writes that change nothing because of their
--            arguments. A command with NOMKSTREAM is tried only on a stream that has entries
-- Replies  OK types (of the keys: the reply of TYPE, or its error)
--             denied (positions of commands in the first list)
--             error (of the first command that was tried and failed)
--
-- On a server without redis.acl_check_cmd (the embedded server, proxies), nothing is denied or
-- tried. A command that the server does not know is not denied: capabilities.lua checks for those.

-- commands returns the list with the keys in it.
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

-- harmless reports whether a command changes nothing: the ID 0-1 is below the last ID of a stream
-- that has entries.
local function harmless(command)
  if command[3] ~= 'NOMKSTREAM' then
    return true
  end
  local length = redis.pcall('XLEN', command[2])
  return type(length) == 'number' and length > 0
end

-- expected reports whether the error is about the arguments only.
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
  for i, command in ipairs(commands(ARGV[1])) do
    local known, allowed = pcall(redis.acl_check_cmd, unpack(command))
    if known and not allowed then
      denied[#denied + 1] = text(i)
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
