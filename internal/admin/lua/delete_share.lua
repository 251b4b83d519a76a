-- delete_share: removes what is stored of a share group in a partition: the native group with
-- everything that is pending in it, its generation and its low-water mark.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group: hash of generation, low, open, low_ms
-- KEYS[3]  the failing entries, see attempts.lua
-- ARGV     1 group
--          2 1: remove nothing and only reply
--          3 1: the group is known as a share group, so the native group is removed even if the hash
--            is lost
-- Replies  OK stored (1, or 0: nothing was stored) low (empty: none)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'generation', 'low')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
if ARGV[2] ~= '1' and (h[1] or ARGV[3] == '1') then
  local destroyed = redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
  local err = err_of(destroyed)
  if err and not string.find(err, 'requires the key to exist', 1, true) then
    return error_reply(err, KEYS[1])
  end
  redis.call('UNLINK', KEYS[2], KEYS[3])
end
return {'OK', h[1] and '1' or '0', h[2] or ''}
