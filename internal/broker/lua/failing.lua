-- failing: returns what is stored of the entries of a split that fail.
--
-- KEYS[1]  the failing entries, see attempts.lua
-- Replies  OK, then 5 of each record: ID, attempts, ms since the first failure, lettered (0 or 1),
--             error. Damaged records are left out.
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HGETALL', KEYS[1])
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
local reply, now = {'OK'}, now_ms()
for i = 1, #h, 2 do
  add_attempts(reply, h[i], h[i + 1], now)
end
return reply
