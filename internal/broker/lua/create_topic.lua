-- create_topic: writes the metadata that makes a topic partitioned. A topic that has metadata is left as it is, and a key of the
-- topic's name would be hidden by them, so it stands in the way.
--
-- KEYS[1]  the topic's metadata: hash of partitions, created_ms, cleanup
-- KEYS[2]  the stream of a plain topic of that name
-- ARGV     1 partitions  2 channel of the hints to all groups of the topic
-- Replies  CREATED
--          EXISTS
--          PLAIN type (what the key of the topic's name holds)
--          an error of the class of the command that met it, naming the key

local partitions = redis.pcall('HGET', KEYS[1], 'partitions')
if err_of(partitions) then
  return refusal(partitions.err, KEYS[1])
end
if partitions then
  return {'EXISTS'}
end
local kind = redis.pcall('TYPE', KEYS[2])
if err_of(kind) then
  return refusal(kind.err, KEYS[2])
end
if type(kind) == 'table' then
  kind = kind.ok
end
if kind ~= 'none' then
  return {'PLAIN', kind}
end
redis.call('HSET', KEYS[1], 'partitions', ARGV[1], 'created_ms', text(now_ms()))
redis.pcall('PUBLISH', ARGV[2], 'created')
return {'CREATED'}
