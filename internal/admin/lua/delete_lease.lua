-- delete_lease: removes the lease and the position of a split, and rafka's mirror of the position,
-- which a claim would take for a backup. It keeps a Redis consumer group that rafka did not create,
-- and one that other clients use too, without rafka's mark.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- KEYS[3]  the failing entries, see attempts.lua
-- ARGV     1 group
--          2 1: remove nothing and only reply
-- Replies  OK stored (1, or 0: the lease did not exist) offset (empty: none)
--             mirror (ours, shared, foreign, none, or empty: unknown)
--          HELD owner remaining_ms (nothing was removed)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'expires_ms', 'offset')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local remaining = (tonumber(h[2]) or 0) - now_ms()
if h[1] and h[1] ~= '' and remaining > 0 then
  return {'HELD', h[1], text(remaining)}
end
local reply = {'OK', tostring(redis.call('EXISTS', KEYS[2])), h[3] or '', (mirror_owner(KEYS[1], ARGV[1]))}
if ARGV[2] ~= '1' then
  local removed
  if reply[4] == 'ours' then
    removed = redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
  elseif reply[4] == 'shared' then
    removed = redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], MARK)
  end
  if removed and err_of(removed) then
    return error_reply(removed.err, KEYS[1])
  end
  redis.call('UNLINK', KEYS[2], KEYS[3])
end
return reply
