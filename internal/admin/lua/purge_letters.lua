-- purge_letters: deletes dead letters and the marks of their replays.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the marks of replayed letters
-- ARGV     the IDs, 500 at most
-- Replies  OK deleted (the number of letters that were there)
--          an error of the class of the command that failed, naming the key

local deleted = redis.pcall('XDEL', KEYS[1], unpack(ARGV))
if err_of(deleted) then
  return error_reply(deleted.err, KEYS[1])
end
local unmarked = redis.pcall('HDEL', KEYS[2], unpack(ARGV))
if err_of(unmarked) then
  return error_reply(unmarked.err, KEYS[2])
end
return {'OK', text(deleted)}
