-- reset: stores any position of a split under its lease, even a lower one, and extends the lease. It is the one way down, for
-- streams that were recreated or rolled back and for seeking.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- ARGV     1 member  2 epoch  3 ttl in ms  4 ms after which an unused lease is forgotten, or 0: never  5 group
--          6 offset  7 read  8 accounted, or -1: no more than read
-- Replies  OK mirror (ours, foreign, or empty: none)
--          FENCED owner epoch (those that are stored) moved (seek, delete, or empty: by no operator)
--          an error of the class of the command that met it, naming the key

local ttl, group, offset, read = tonumber(ARGV[3]), ARGV[5], ARGV[6], ARGV[7]
local accounted = ARGV[8]

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'mirror', 'moved')
if err_of(h) then
  return refusal(h.err, KEYS[2])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or '', moved_by(h[4], ARGV[2])}
end

keep(KEYS[2], ARGV[4]) -- first, for a server that is out of memory
redis.call('HSET', KEYS[2], 'expires_ms', text(now_ms() + ttl), 'ttl_ms', text(ttl), 'offset', offset, 'read', read,
  'accounted', accounted)

local mirror = mirror_move(KEYS[1], group, offset, read, accounted)
if mirror ~= h[3] then
  redis.call('HSET', KEYS[2], 'mirror', mirror)
end
return {'OK', mirror}
