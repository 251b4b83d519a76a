-- convert_group: changes the type of a group that has no live member. While its partitions are
-- converted one by one, the type is "converting", which no input has.
--
-- KEYS[1]  the members
-- KEYS[2]  the group
-- ARGV     1 type to store, or empty: change nothing and only reply
-- Replies  OK stored_type (empty: the group did not exist; nothing was changed)
--          ALIVE members (nothing was changed)
--          an error of the class of the command that failed, naming the key

local alive = redis.pcall('ZRANGEBYSCORE', KEYS[1], '(' .. text(now_ms()), '+inf')
if err_of(alive) then
  return error_reply(alive.err, KEYS[1])
end
local stored = redis.pcall('HGET', KEYS[2], 'group_type')
if err_of(stored) then
  return error_reply(stored.err, KEYS[2])
end
if #alive > 0 then
  return {'ALIVE', alive}
end
if stored and ARGV[1] ~= '' then
  redis.call('HSET', KEYS[2], 'group_type', ARGV[1])
end
return {'OK', stored or ''}
