-- seek_share: moves a share group in a partition. A new generation begins: members drop what they
-- have, and acknowledgements of earlier deliveries have no effect. What was pending is forgotten:
-- entries after the new position are delivered again, the others are skipped.
--
-- KEYS[1]  the partition's stream, which is never created
-- KEYS[2]  the share group: hash of generation, low, open, low_ms; all other fields are removed
-- KEYS[3]  the failing entries, see attempts.lua; removed
-- ARGV     1 group
--          2 start: earliest, latest, at
--          3 for at: the offset before the first entry to read
--          4 ms after which an unused share group expires, or 0: never
--          5 channel of the group's hints
--          6 1: change nothing and only reply
-- Replies  OK before (everything up to it was acknowledged; empty: unknown) offset read
--             pending (the number of entries that are forgotten)
--             again (how many of these are after the offset, 10000 at most)
--          an error of the class of the command that failed, naming the key

local stream, group = KEYS[1], ARGV[1]
local h = redis.pcall('HMGET', KEYS[2], 'generation', 'low')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local offset, read = start_position(stream, ARGV[2], ARGV[3])
if not offset then
  return error_reply(read, stream)
end

-- pending_after returns the number of entries that are pending after an offset.
local function pending_after(id)
  local found = redis.pcall('XPENDING', stream, group, id, '+', '10000')
  if err_of(found) then
    return 0
  end
  return #found - (found[1] and found[1][1] == id and 1 or 0)
end

local pending, before = redis.pcall('XPENDING', stream, group), h[2] or ''
local missing = err_of(pending)
if missing and not string.find(missing, 'NOGROUP', 1, true) then
  return error_reply(missing, stream)
elseif missing then
  pending = {0}
elseif pending[1] > 0 then
  before = id_before(pending[2])
else
  local info = mirror_info(stream, group)
  before = info and info['last-delivered-id'] or before
end
local reply = {'OK', before, offset, read, text(pending[1]), text(pending_after(offset))}
if ARGV[6] == '1' then
  return reply
end

local generation = next_number(h[1])
redis.call('UNLINK', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[2], 'generation', generation, 'low', offset, 'open', '', 'low_ms', text(now_ms()))
keep(KEYS[2], ARGV[4])
local destroyed = redis.pcall('XGROUP', 'DESTROY', stream, group)
local err = err_of(destroyed)
if err and not string.find(err, 'requires the key to exist', 1, true) then
  return error_reply(err, stream)
elseif not err then
  -- A member that waits in XREADGROUP continues in the new group: it is there when the script ends.
  -- Some servers do not know ENTRIESREAD.
  local created = redis.pcall('XGROUP', 'CREATE', stream, group, offset, 'ENTRIESREAD', read)
  if err_of(created) then
    created = redis.pcall('XGROUP', 'CREATE', stream, group, offset)
  end
  if err_of(created) then
    return error_reply(created.err, stream)
  end
end
redis.pcall('PUBLISH', ARGV[5], 'sought')
return reply
