-- skip: passes over one entry of a split, even if a member holds the lease. The epoch grows and the
-- lease becomes free, as in seek: its owner is fenced, and claims again.
--
-- KEYS[1]  the partition's stream, which is never created
-- KEYS[2]  the lease
-- KEYS[3]  the failing entries, see attempts.lua; the record of the entry is removed
-- ARGV     1 group
--          2 epoch that the caller has seen
--          3 offset that the caller has seen
--          4 done that the caller has seen (see claim.lua)
--          5 ID of the entry
--          6 1: it is the first entry behind the offset
--          7 done that the lease gets
--          8 ms after which an unused lease expires, or 0: never
--          9 channel of the group's hints
-- Replies  OK owner (of the lease that ended; empty: none)
--          CHANGED (the lease is not what the caller has seen; nothing was changed)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'expires_ms', 'offset', 'done', 'read', 'accounted', 'moved',
  'adopting', 'suspect', 'deaths')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
if (h[2] or '0') ~= ARGV[2] or h[4] ~= ARGV[3] or (h[5] or '') ~= ARGV[4] then
  return {'CHANGED'}
end
local owner = h[1] and (tonumber(h[3]) or 0) > now_ms() and h[1] or ''

-- one_more returns a count of entries that includes the skipped one, unless the count is not known.
local function one_more(count)
  local n = tonumber(count) or -1
  return n < 0 and '-1' or text(n + 1)
end

local offset, read, accounted = h[4], h[6] or '-1', h[7] or '-1'
if ARGV[6] == '1' then
  offset, read, accounted = ARGV[5], one_more(read), one_more(accounted)
end
local forgotten = redis.pcall('HDEL', KEYS[3], ARGV[5]) -- first, since it can be refused
if err_of(forgotten) then
  return error_reply(forgotten.err, KEYS[3])
end
local epoch = next_number(h[2])
local ended, earlier = ended_epoch(h[1], h[2], h[8])
redis.call('HSET', KEYS[2], 'owner', '', 'epoch', epoch, 'expires_ms', '0', 'attempts', '0',
  'offset', offset, 'read', read, 'accounted', accounted, 'done', ARGV[7])
if string.match(h[10] or '', '^%S+') == ARGV[5] then
  redis.call('HSET', KEYS[2], 'suspect', '')
end
local deaths = {}
for death in string.gmatch(h[11] or '', '%S+') do
  if string.match(death, '^[^@]+') ~= ARGV[5] then
    deaths[#deaths + 1] = death
  end
end
if h[11] then
  redis.call('HSET', KEYS[2], 'deaths', table.concat(deaths, ' '))
end
if ended then
  redis.call('HSET', KEYS[2], 'moved', (earlier or 'skip') .. ' ' .. ended .. ' ' .. epoch)
end
keep(KEYS[2], h[9] and '0' or ARGV[8])
if not h[9] then
  redis.call('HSET', KEYS[2], 'mirror', mirror_move(KEYS[1], ARGV[1], offset, read, accounted))
end
redis.pcall('PUBLISH', ARGV[9], 'skipped')
return {'OK', owner}
