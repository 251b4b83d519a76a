-- commit: stores the position of a split under its lease and extends the lease. Without an offset
-- it only extends the lease (renew). A position below the stored one is ignored, because it belongs
-- to a late duplicate of an older commit.
--
-- KEYS[1]  the lease
-- KEYS[2]  the partition's stream; a renewal does not name it: while the slot of an empty partition
--          moves, the server would reject a script that names the missing stream
-- ARGV     1 owner
--          2 epoch
--          3 ttl in ms
--          4 ms after which an unused lease expires, or 0: never
--          5 group
--          6 offset, or empty
--          7 read
--          8 accounted, or -1: the same as read
--          9 the ranges behind the offset of which all entries are finished
--          10 the suspect (see suspect.go), or empty: the stored one stays
-- Replies  OK mirror (ours, shared, foreign, or empty: none or not checked)
--          FENCED owner epoch (the stored ones) moved (seek, skip, delete, or empty: not by an operator)
--          an error of the class of the command that failed, naming the key

local ttl, group, offset, read = tonumber(ARGV[3]), ARGV[5], ARGV[6], ARGV[7]
local accounted = ARGV[8]

-- turn returns the turn of a suspect, 0 if there is none.
local function turn(suspect)
  local last = string.match(suspect or '', '%d+$')
  return last and tonumber(last) or 0
end

local h = redis.pcall('HMGET', KEYS[1], 'owner', 'epoch', 'offset', 'read', 'mirror', 'moved', 'adopting', 'suspect')
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or '', moved_by(h[6], ARGV[2])}
end

keep(KEYS[1], h[7] and '0' or ARGV[4]) -- first, for a server that is out of memory
redis.call('HSET', KEYS[1], 'expires_ms', text(now_ms() + ttl), 'ttl_ms', text(ttl))

local stored = is_id(h[3]) and h[3] or nil
if offset == '' or (stored and below(offset, stored)) then
  return {'OK', ''}
end
if offset == stored and read == '-1' then
  read = h[4] or read -- the same offset: a known count stays known
end
redis.call('HSET', KEYS[1], 'offset', offset, 'read', read, 'accounted', accounted, 'done', ARGV[9])
if turn(ARGV[10]) > turn(h[8]) then -- else it is from an older commit
  redis.call('HSET', KEYS[1], 'suspect', ARGV[10])
end

if h[7] then
  return {'OK', ''} -- the adopted group becomes the mirror later
elseif h[5] == 'foreign' then
  return {'OK', 'foreign'} -- the next claim checks it again
end
local mirror = mirror_move(KEYS[2], group, offset, read, accounted)
if mirror ~= h[5] then
  redis.call('HSET', KEYS[1], 'mirror', mirror)
end
return {'OK', mirror}
