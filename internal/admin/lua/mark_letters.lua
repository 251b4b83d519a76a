-- mark_letters: marks dead letters as replayed. It also removes some marks of letters that are gone
-- because the stream was trimmed.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the marks of replayed letters: hash of ID -> time in ms
-- ARGV     the IDs, 500 at most
-- Replies  OK
--          an error of the class of the command that failed, naming the key

local now = text(now_ms())
local first = redis.pcall('XRANGE', KEYS[1], '-', '+', 'COUNT', '1')
if err_of(first) then
  return error_reply(first.err, KEYS[1])
end
if not first[1] then
  return {'OK'} -- the letters are gone
end
local values = {}
for _, id in ipairs(ARGV) do
  table.insert(values, id)
  table.insert(values, now)
end
local marked = redis.pcall('HSET', KEYS[2], unpack(values))
if err_of(marked) then
  return error_reply(marked.err, KEYS[2])
end
local some = redis.pcall('HRANDFIELD', KEYS[2], '20')
for _, id in ipairs(err_of(some) and {} or some) do
  if is_id(id) and below(id, first[1][1]) then
    redis.pcall('HDEL', KEYS[2], id)
  end
end
return {'OK'}
