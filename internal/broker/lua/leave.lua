-- leave: removes a member from its group. It does not change leases, which are released or expire.
--
-- KEYS[1]  the members
-- KEYS[2]  the group
-- ARGV     1 member
--          2 channel of the group's hints
-- Replies  OK 1 (removed) or OK 0 (was not a member)
--          an error of the class of the command that failed, naming the key

local version = redis.pcall('HGET', KEYS[2], 'version')
if err_of(version) then
  return error_reply(version.err, KEYS[2])
end
local removed = redis.pcall('ZREM', KEYS[1], ARGV[1])
if err_of(removed) then
  return error_reply(removed.err, KEYS[1])
end
if removed == 0 then
  return {'OK', '0'}
end
if version then
  redis.call('HDEL', KEYS[2], owner_field(ARGV[1]))
  redis.call('HSET', KEYS[2], 'version', next_number(version))
end
redis.pcall('PUBLISH', ARGV[2], 'left')
return {'OK', '1'}
