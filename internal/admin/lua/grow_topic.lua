-- grow_topic: raises the number of partitions of a topic. Members see the new number with their
-- next heartbeat, which the hint triggers.
--
-- KEYS[1]  the topic's metadata
-- KEYS[2]  the stream of a plain topic of that name
-- ARGV     1 partitions
--          2 channel of the hints to all groups of the topic
-- Replies  GROWN before
--          SAME before (the topic has that number or more; nothing was changed)
--          PLAIN type (the topic has no metadata; type of the key with the topic's name, or none)
--          an error of the class of the command that failed, naming the key

local stored = redis.pcall('HGET', KEYS[1], 'partitions')
if err_of(stored) then
  return error_reply(stored.err, KEYS[1])
end
if not stored then
  local kind = redis.pcall('TYPE', KEYS[2])
  if err_of(kind) then
    return error_reply(kind.err, KEYS[2])
  end
  return {'PLAIN', type(kind) == 'table' and kind.ok or kind}
end
local before = tonumber(stored)
if not before then
  return error_reply("ERR field partitions is '" .. stored .. "' and not a number: correct it with HSET", KEYS[1])
end
if before >= tonumber(ARGV[1]) then
  return {'SAME', stored}
end
redis.call('HSET', KEYS[1], 'partitions', ARGV[1])
redis.pcall('PUBLISH', ARGV[2], 'grown')
return {'GROWN', stored}
