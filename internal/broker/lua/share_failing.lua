-- share_failing: returns what is stored of some entries of a share group that fail.
--
-- KEYS[1]  the failing entries, see attempts.lua
-- ARGV     1 generation: nothing is returned that belongs to another one
--          2 ... the IDs
-- Replies  OK, then 5 of each record, as failing.lua does
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'generation', unpack(ARGV, 2))
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
local reply, now = {'OK'}, now_ms()
for i = 2, #ARGV do
  if h[1] == ARGV[1] and h[i] then
    add_attempts(reply, ARGV[i], h[i], now)
  end
end
return reply
