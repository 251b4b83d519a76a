-- release: ends a lease at once, so that the next claim is granted and counts no attempt. The position stays.
--
-- KEYS[1]  the lease
-- ARGV     1 member  2 epoch  3 channel of the group's hints  4 ms after which an unused lease is forgotten, or 0: never
-- Replies  OK
--          FENCED owner epoch (those that are stored)
--          an error of the class of the command that met it, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'owner', 'epoch')
if err_of(h) then
  return refusal(h.err, KEYS[1])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or ''}
end

keep(KEYS[1], ARGV[4]) -- first, for a server that is out of memory
redis.call('HSET', KEYS[1], 'owner', '', 'expires_ms', '0', 'attempts', '0')
redis.pcall('PUBLISH', ARGV[3], 'released')
return {'OK'}
