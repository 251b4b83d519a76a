-- share_ack: acknowledges entries of a share group, unless they were delivered in an earlier
-- generation: then an entry with the same ID may have been delivered again, to another member. It
-- deletes the entries too, if the caller wants that and no other group may read them.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 generation
--          3 ms after which an unused share group expires, or 0: never
--          4 when the caller read the groups of the topic, in ms, or empty: delete nothing
--          5 ms for which that is valid
--          6 ... the IDs, 1000 at most
-- Replies  OK acknowledged (the number of entries that were pending) why detail (see share_delete.lua)
--          STALE generation (the stored one, or 0: none; nothing was changed)
--          an error of the class of the command that failed, naming the key

-- low_every is how often the low-water mark is stored, in ms.
local low_every = 1000

local group = ARGV[1]
local h = redis.pcall('HMGET', KEYS[2], 'generation', 'low_ms', 'suspects')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
if h[1] ~= ARGV[2] then
  return {'STALE', h[1] or '0'}
end
local acknowledged = redis.pcall('XACK', KEYS[1], group, unpack(ARGV, 6))
if err_of(acknowledged) then
  return error_reply(acknowledged.err, KEYS[1])
end
if h[3] then
  redis.call('HDEL', KEYS[2], unpack(ARGV, 6))
end
local why, detail = '', ''
if ARGV[4] ~= '' then
  why, detail = delete_acknowledged(KEYS[1], group, ARGV[4], ARGV[5], {unpack(ARGV, 6)})
end
local now, stored = now_ms(), tonumber(h[2]) or 0
if now - stored >= low_every or now < stored then
  keep(KEYS[2], ARGV[3])
  local low, open = low_water(KEYS[1], group)
  if low then
    redis.call('HSET', KEYS[2], 'low', low, 'open', open, 'low_ms', text(now))
    if h[3] then
      forget_suspects(KEYS[2], low, open)
    end
  end
end
return {'OK', text(acknowledged), why, detail}
