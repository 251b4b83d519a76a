-- create_topic: writes the metadata that make a topic partitioned. It changes nothing if the topic
-- has metadata, or if a key has the topic's name, because the metadata would hide that key.
--
-- KEYS[1]  the topic's metadata: hash of partitions, created_ms
-- KEYS[2]  the stream of a plain topic of that name
-- ARGV     1 partitions
--          2 channel of the hints to all groups of the topic
-- Replies  CREATED
--          EXISTS
--          PLAIN type (of the key with the topic's name)
--          an error of the class of the command that failed, naming the key

local partitions = redis.pcall('HGET', KEYS[1], 'partitions')
if err_of(partitions) then
  return error_reply(partitions.err, KEYS[1])
end
if partitions then
  return {'EXISTS'}
end
local kind = redis.pcall('TYPE', KEYS[2])
if err_of(kind) then
  return error_reply(kind.err, KEYS[2])
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
