-- seek: moves the position of a split, even if a member holds the lease. The epoch grows and the
-- lease becomes free: its owner is fenced by its next commit or renewal, and claims again at the
-- new position.
--
-- KEYS[1]  the partition's stream, which is never created
-- KEYS[2]  the lease
-- KEYS[3]  the failing entries, see attempts.lua; removed
-- ARGV     1 group
--          2 start: earliest, latest, at
--          3 for at: the offset before the first entry to read
--          4 ms after which an unused lease expires, or 0: never
--          5 channel of the group's hints
--          6 1: change nothing and only reply
-- Replies  OK offset_before (empty: none) offset read owner (of the lease that ended; empty: none)
--             mirror (ours, shared, foreign, none, or empty: unknown)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'expires_ms', 'offset', 'moved', 'adopting')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local offset, read, accounted = start_position(KEYS[1], ARGV[2], ARGV[3])
if not offset then
  return error_reply(read, KEYS[1])
end
local now = now_ms()
local owner = h[1] and (tonumber(h[3]) or 0) > now and h[1] or ''
if ARGV[6] == '1' then
  return {'OK', h[4] or '', offset, read, owner, (mirror_owner(KEYS[1], ARGV[1]))}
end

local epoch = next_number(h[2])
local ended, earlier = ended_epoch(h[1], h[2], h[5])
redis.call('HSET', KEYS[2], 'owner', '', 'epoch', epoch, 'expires_ms', '0', 'attempts', '0',
  'offset', offset, 'read', read, 'accounted', accounted, 'done', '', 'suspect', '', 'deaths', '')
redis.call('UNLINK', KEYS[3])
if ended then
  redis.call('HSET', KEYS[2], 'moved', (earlier or 'seek') .. ' ' .. ended .. ' ' .. epoch)
end
keep(KEYS[2], h[6] and '0' or ARGV[4])
local mirror = h[6] and '' or mirror_move(KEYS[1], ARGV[1], offset, read, accounted)
redis.call('HSET', KEYS[2], 'mirror', mirror)
redis.pcall('PUBLISH', ARGV[5], 'sought')
return {'OK', h[4] or '', offset, read, owner, mirror}
