-- share_take: makes entries that are pending at one consumer pending at another, and deletes the
-- first consumer if nothing is pending at it then.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 consumer from which to take
--          3 consumer that takes
--          4 the largest number of entries to take
--          5 1: the first consumer has died, which is counted (see suspects.lua)
-- Replies  OK generation (0: none) more (1: entries are still pending at the first consumer)
--             taken (IDs) lost (IDs that are not in the stream)
--          NOGROUP (the stream or the group does not exist)
--          an error of the class of the command that failed, naming the key

local stream, group, from, to = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local generation = redis.pcall('HGET', KEYS[2], 'generation')
if err_of(generation) then
  return error_reply(generation.err, KEYS[2])
end
local pending = redis.pcall('XPENDING', stream, group, '-', '+', ARGV[4], from)
local err = err_of(pending)
if err and string.find(err, 'NOGROUP', 1, true) then
  return {'NOGROUP'}
elseif err then
  return error_reply(err, stream)
end

local ids = {}
for i, entry in ipairs(pending) do
  ids[i] = entry[1]
end
local taken, lost = take_over(stream, group, to, ids)
if ARGV[5] == '1' and generation then
  count_takeovers(KEYS[2], from, taken)
end
local more = redis.call('XPENDING', stream, group, '-', '+', '1', from)
if #more == 0 then
  redis.call('XGROUP', 'DELCONSUMER', stream, group, from)
  redis.call('HDEL', KEYS[2], '=' .. from)
end
return {'OK', generation or '0', #more > 0 and '1' or '0', taken, lost}
