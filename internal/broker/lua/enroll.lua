-- enroll: returns the number for the next incarnation of a static member: the time in microseconds,
-- or more if the current incarnation got its number from a clock that was ahead. It stores nothing:
-- the heartbeat stores the number.
--
-- KEYS[1]  the group
-- ARGV     1 member
-- Replies  OK number
--          an error of the class of the command that failed, naming the key

local stored = redis.pcall('HGET', KEYS[1], owner_field(ARGV[1]))
if err_of(stored) then
  return error_reply(stored.err, KEYS[1])
end
local t = redis.call('TIME')
local number = t[1] * 1000000 + t[2]
local _, last = incarnation(stored or '')
if last and last >= number then
  number = last + 1
end
return {'OK', text(number)}
