-- skip_share: acknowledges one entry of a share group, if it is pending.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua); what is counted of the entry is removed (see suspects.lua)
-- KEYS[3]  the failing entries, see attempts.lua; the record of the entry is removed
-- ARGV     1 group
--          2 generation that the caller has seen (empty: none)
--          3 ID of the entry
-- Replies  OK
--          CHANGED (there is another generation, or the entry is not pending any more; nothing was
--          changed)
--          an error of the class of the command that failed, naming the key

local generation = redis.pcall('HGET', KEYS[2], 'generation')
if err_of(generation) then
  return error_reply(generation.err, KEYS[2])
end
if (generation or '') ~= ARGV[2] then
  return {'CHANGED'}
end
local acknowledged = redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[3])
if err_of(acknowledged) then
  return error_reply(acknowledged.err, KEYS[1])
end
if acknowledged == 0 then
  return {'CHANGED'}
end
redis.call('HDEL', KEYS[2], ARGV[3])
local forgotten = redis.pcall('HDEL', KEYS[3], ARGV[3])
if err_of(forgotten) then
  return error_reply(forgotten.err, KEYS[3])
end
return {'OK'}
