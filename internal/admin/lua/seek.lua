-- seek: moves the position of a split, whoever holds it. The epoch grows and the lease is free at once: its owner is fenced by its next
-- commit or renewal and claims again, at the new position.
--
-- KEYS[1]  the partition's stream, which is never created
-- KEYS[2]  the lease
-- ARGV     1 group  2 start: earliest, latest, at  3 for at: the offset before the first entry wanted  4 ms after which an unused lease is
--          forgotten, or 0: never  5 channel of the group's hints  6 1 to only tell what would be
-- Replies  OK offset_before (empty: none) offset read owner (whose lease ended; empty: nobody's) mirror (ours, foreign, none, or empty:
--             it can't be told)
--          an error of the class of the command that met it, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'expires_ms', 'offset', 'moved')
if err_of(h) then
  return refusal(h.err, KEYS[2])
end
local offset, read, accounted = start_position(KEYS[1], ARGV[2], ARGV[3])
if not offset then
  return refusal(read, KEYS[1])
end
local now = now_ms()
local owner = h[1] and (tonumber(h[3]) or 0) > now and h[1] or ''
if ARGV[6] == '1' then
  return {'OK', h[4] or '', offset, read, owner, (mirror_owner(KEYS[1], ARGV[1]))}
end

local epoch = next_number(h[2])
local ended, earlier = ended_epoch(h[1], h[2], h[5])
redis.call('HSET', KEYS[2], 'owner', '', 'epoch', epoch, 'expires_ms', '0', 'attempts', '0',
  'offset', offset, 'read', read, 'accounted', accounted)
if ended then
  redis.call('HSET', KEYS[2], 'moved', (earlier or 'seek') .. ' ' .. ended .. ' ' .. epoch)
end
keep(KEYS[2], ARGV[4])
local mirror = mirror_move(KEYS[1], ARGV[1], offset, read, accounted)
redis.call('HSET', KEYS[2], 'mirror', mirror)
redis.pcall('PUBLISH', ARGV[5], 'sought')
return {'OK', h[4] or '', offset, read, owner, mirror}
