-- share_suspect: stores what a consumer of a share group has in flight, see suspects.lua.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 generation
--          3 consumer
--          4 turn
--          5 flight: waiting, batch, alone or any
--          6 ... the IDs that are in flight, if flight is batch or alone
-- Replies  OK (also if something of a later turn is stored)
--          STALE generation (the stored one, or 0: none; it is another one, or an entry is not pending
--             at the consumer; nothing was changed)
--          an error of the class of the command that failed, naming the key

local field = '=' .. ARGV[3]
local h = redis.pcall('HMGET', KEYS[2], 'generation', field)
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local turn = string.match(h[2] or '', '^(%d+) ')
if h[1] ~= ARGV[2] then
  return {'STALE', h[1] or '0'}
end

-- pending returns what is pending at the consumer in a range: nothing if there is no such group; or
-- nil and an error.
local function pending(first, last)
  local found = redis.pcall('XPENDING', KEYS[1], ARGV[1], first, last, '1', ARGV[3])
  local err = err_of(found)
  if err and string.find(err, 'NOGROUP', 1, true) then
    return {}
  end
  return not err and found or nil, err
end

for i = 6, #ARGV do
  local found, err = pending(ARGV[i], ARGV[i])
  if err then
    return error_reply(err, KEYS[1])
  elseif #found == 0 then
    return {'STALE', h[1]}
  end
end
if turn and tonumber(turn) > tonumber(ARGV[4]) then
  return {'OK'}
elseif not turn and #ARGV < 6 then
  local found, err = pending('-', '+')
  if err then
    return error_reply(err, KEYS[1])
  elseif #found == 0 then
    return {'OK'} -- there may be no such consumer any more
  end
end
redis.call('HDEL', KEYS[2], field) -- first, for a server that is out of memory
redis.call('HSET', KEYS[2], 'suspects', '1', field, table.concat(ARGV, ' ', 4))
return {'OK'}
