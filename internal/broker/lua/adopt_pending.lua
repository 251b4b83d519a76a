-- adopt_pending: returns entries that are pending in the Redis consumer group that a lease adopts.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- ARGV     1 the offset before the range
--          2 the last offset in the range
--          3 the largest number of entries
--          4 bytes: the entry that reaches them is the last one
-- Replies  OK through (the last offset that the reply covers) more (1: the range can have more
--             entries) gone (offsets that are pending and not in the stream any more) entries
--             (id and fields of each, as XRANGE returns them)
--          an error of the class of the command that failed, naming the key

local from = redis.pcall('HGET', KEYS[2], 'adopting')
if err_of(from) then
  return error_reply(from.err, KEYS[2])
end
local pending = from and redis.pcall('XPENDING', KEYS[1], from, '(' .. ARGV[1], ARGV[2], ARGV[3]) or {}
local err = err_of(pending)
if err and not string.find(err, 'NOGROUP', 1, true) then
  return error_reply(err, KEYS[1])
end

local gone, entries, bytes = {}, {}, 0
for i, item in ipairs(pending) do
  local entry = redis.call('XRANGE', KEYS[1], item[1], item[1])[1]
  if not entry then
    gone[#gone + 1] = item[1]
  else
    entries[#entries + 1] = entry
    for _, value in ipairs(entry[2]) do
      bytes = bytes + #value
    end
  end
  if bytes >= tonumber(ARGV[4]) or i == tonumber(ARGV[3]) then
    return {'OK', item[1], '1', gone, entries}
  end
end
return {'OK', ARGV[2], '', gone, entries}
