-- delete_group: removes a group and its members, unless a member is alive.
--
-- KEYS[1]  the members
-- KEYS[2]  the group
-- ARGV     1 1: remove nothing and only reply
-- Replies  OK stored (1, or 0: the group did not exist)
--          ALIVE members (nothing was removed)
--          an error of the class of the command that failed, naming the key

local alive = redis.pcall('ZRANGEBYSCORE', KEYS[1], '(' .. text(now_ms()), '+inf')
if err_of(alive) then
  return error_reply(alive.err, KEYS[1])
end
if #alive > 0 then
  return {'ALIVE', alive}
end
local stored = redis.call('EXISTS', KEYS[2])
if ARGV[1] ~= '1' then
  redis.call('UNLINK', KEYS[1], KEYS[2])
end
return {'OK', tostring(stored)}
