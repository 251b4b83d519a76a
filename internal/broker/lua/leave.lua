-- leave: removes a member from its group. It does not change leases, which are released or expire.
--
-- KEYS[1]  the members
-- KEYS[2]  the group
-- ARGV     1 member
--          2 channel of the group's hints
-- Replies  OK 1 (removed) or OK 0 (was not a member)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'version', 'group_type', 'departed', owner_field(ARGV[1]))
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local version = h[1]
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
  if h[2] == 'share' then
    redis.call('HSET', KEYS[2], 'departed', add_departed(h[3] or '', h[4] or ARGV[1]))
  end
end
redis.pcall('PUBLISH', ARGV[2], 'left')
return {'OK', '1'}
