-- commit: stores the position of a split under its lease and extends the lease; without an offset it only extends (renew).
-- A position below the stored one is kept out: it is a late duplicate of an older commit.
--
-- KEYS[1]  the lease
-- KEYS[2]  the partition's stream; not named by a renewal, which could not be done then while the slot of an empty partition moves
-- ARGV     1 member  2 epoch  3 ttl in ms  4 ms after which an unused lease is forgotten, or 0: never  5 group
--          6 offset, or empty  7 read  8 accounted, or -1: no more than read
-- Replies  OK mirror (ours, foreign, or empty: none or not looked at)
--          FENCED owner epoch (those that are stored) moved (seek, delete, or empty: by no operator)
--          an error of the class of the command that met it, naming the key

local ttl, group, offset, read = tonumber(ARGV[3]), ARGV[5], ARGV[6], ARGV[7]
local accounted = ARGV[8]

local h = redis.pcall('HMGET', KEYS[1], 'owner', 'epoch', 'offset', 'read', 'mirror', 'moved')
if err_of(h) then
  return refusal(h.err, KEYS[1])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or '', moved_by(h[6], ARGV[2])}
end

keep(KEYS[1], ARGV[4]) -- first, for a server that is out of memory
redis.call('HSET', KEYS[1], 'expires_ms', text(now_ms() + ttl), 'ttl_ms', text(ttl))

local stored = is_id(h[3]) and h[3] or nil
if offset == '' or (stored and below(offset, stored)) then
  return {'OK', ''}
end
if offset == stored and read == '-1' then
  read = h[4] or read -- the same place: what is known of it stays known
end
redis.call('HSET', KEYS[1], 'offset', offset, 'read', read, 'accounted', accounted)

if h[5] == 'foreign' then
  return {'OK', 'foreign'} -- looked at again by the next claim
end
local mirror = mirror_move(KEYS[2], group, offset, read, accounted)
if mirror ~= h[5] then
  redis.call('HSET', KEYS[1], 'mirror', mirror)
end
return {'OK', mirror}
