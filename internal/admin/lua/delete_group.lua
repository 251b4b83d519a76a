-- delete_group: removes a group and its members, unless a member is alive, and takes the group off
-- the groups of the topic.
--
-- KEYS[1]  the members
-- KEYS[2]  the group
-- KEYS[3]  the groups of the topic: a set
-- ARGV     1 1: remove nothing and only reply
--          2 group
-- Replies  OK stored (1, or 0: nothing was stored of the group)
--          ALIVE members (nothing was removed)
--          an error of the class of the command that failed, naming the key

local alive = redis.pcall('ZRANGEBYSCORE', KEYS[1], '(' .. text(now_ms()), '+inf')
if err_of(alive) then
  return error_reply(alive.err, KEYS[1])
end
if #alive > 0 then
  return {'ALIVE', alive}
end
local registered = redis.pcall('SISMEMBER', KEYS[3], ARGV[2])
if err_of(registered) then
  return error_reply(registered.err, KEYS[3])
end
local stored = redis.call('EXISTS', KEYS[2])
if ARGV[1] ~= '1' then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  redis.call('SREM', KEYS[3], ARGV[2])
end
return {'OK', tostring(math.max(stored, registered))}
