-- share_pending: lists the IDs that are pending at a consumer. Unlike XREADGROUP with an ID, XPENDING
-- does not count as a delivery.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 consumer
--          3 the largest number of IDs to return
-- Replies  OK generation (0: none) ids
--          NOGROUP (the stream or the group does not exist)
--          an error of the class of the command that failed, naming the key

local generation = redis.pcall('HGET', KEYS[2], 'generation')
if err_of(generation) then
  return error_reply(generation.err, KEYS[2])
end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])
local err = err_of(pending)
if err and string.find(err, 'NOGROUP', 1, true) then
  return {'NOGROUP'}
elseif err then
  return error_reply(err, KEYS[1])
end
local ids = {}
for i, entry in ipairs(pending) do
  ids[i] = entry[1]
end
return {'OK', generation or '0', ids}
