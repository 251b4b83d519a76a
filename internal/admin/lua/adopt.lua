-- adopt: makes a group begin where a Redis consumer group of another program stands. What is pending
-- there comes first. The Redis consumer group is not changed: see adopt_settle.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- ARGV     1 group
--          2 the Redis consumer group
--          3 1: remove the Redis consumer group when nothing is pending there any more
--          4 channel of the group's hints
--          5 1: change nothing and only reply
-- Replies  OK offset read pending consumers again (1: it was adopted before; nothing was changed)
--          REFUSED (see adoptable.lua)
--          REFUSED exists stream group offset (the group has this offset already)
--          an error of the class of the command that failed, naming the key

local group, from = ARGV[1], ARGV[2]

local h = redis.pcall('HMGET', KEYS[2], 'offset', 'adopting', 'read')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local again = h[2] == from
if h[1] and not again then
  return {'REFUSED', 'exists', KEYS[1], group, h[1]}
end
if from ~= group then
  local owner = mirror_owner(KEYS[1], group)
  local info = (owner == 'ours' or owner == 'shared') and mirror_info(KEYS[1], group)
  if info then
    return {'REFUSED', 'exists', KEYS[1], group, info['last-delivered-id']}
  end
end

local offset, read, accounted = h[1], h[3] or '-1'
if not again then
  local info, refusal = adoptable(KEYS[1], from)
  if not info then
    return refusal
  end
  offset, read, accounted = start_position(KEYS[1], 'at', info['last-delivered-id'])
  if not offset then
    return error_reply(read, KEYS[1])
  end
end
local pending = redis.pcall('XPENDING', KEYS[1], from)
if err_of(pending) and not again then
  return error_reply(pending.err, KEYS[1])
end
if not again and ARGV[5] ~= '1' then
  redis.call('HSET', KEYS[2], 'offset', offset, 'read', read, 'accounted', accounted, 'adopting', from)
  if ARGV[3] == '1' then
    redis.call('HSET', KEYS[2], 'adopting_removes', '1')
  end
  redis.call('PERSIST', KEYS[2])
  redis.pcall('PUBLISH', ARGV[4], 'adopted')
end
return {'OK', offset, read, text(pending[1] or 0), text(#(pending[4] or {})), again and '1' or ''}
