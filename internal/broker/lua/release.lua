-- release: ends a lease immediately, so that the next claim is granted and does not count as an
-- attempt. It keeps the position.
--
-- KEYS[1]  the lease
-- ARGV     1 owner
--          2 epoch
--          3 channel of the group's hints
--          4 ms after which an unused lease expires, or 0: never
-- Replies  OK
--          FENCED owner epoch (the stored ones)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'owner', 'epoch', 'adopting')
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or ''}
end

keep(KEYS[1], h[3] and '0' or ARGV[4]) -- first, for a server that is out of memory
redis.call('HSET', KEYS[1], 'owner', '', 'expires_ms', '0', 'attempts', '0')
redis.pcall('PUBLISH', ARGV[3], 'released')
return {'OK'}
