-- reset: stores a position of a split under its lease, even a lower one, and extends the lease. It
-- is the only script that lowers a position under a lease, for streams that were recreated or
-- rolled back.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- KEYS[3]  the failing entries, see attempts.lua; removed
-- ARGV     1 owner
--          2 epoch
--          3 ttl in ms
--          4 ms after which an unused lease expires, or 0: never
--          5 group
--          6 offset
--          7 read
--          8 accounted, or -1: the same as read
-- Replies  OK mirror (ours, shared, foreign, or empty: none)
--          FENCED owner epoch (the stored ones) moved (seek, skip, delete, or empty: not by an operator)
--          an error of the class of the command that failed, naming the key

local ttl, group, offset, read = tonumber(ARGV[3]), ARGV[5], ARGV[6], ARGV[7]
local accounted = ARGV[8]

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'mirror', 'moved', 'adopting')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or '', moved_by(h[4], ARGV[2])}
end

keep(KEYS[2], h[5] and '0' or ARGV[4]) -- first, for a server that is out of memory
redis.call('HSET', KEYS[2], 'expires_ms', text(now_ms() + ttl), 'ttl_ms', text(ttl), 'offset', offset, 'read', read,
  'accounted', accounted, 'done', '', 'suspect', '', 'deaths', '')
redis.call('UNLINK', KEYS[3])

if h[5] then
  return {'OK', ''} -- the adopted group becomes the mirror later
end
local mirror = mirror_move(KEYS[1], group, offset, read, accounted)
if mirror ~= h[3] then
  redis.call('HSET', KEYS[2], 'mirror', mirror)
end
return {'OK', mirror}
