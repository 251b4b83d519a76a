-- share_adopt: makes entries that are pending at consumers of other programs, and that were idle
-- for a time, pending at a member of a share group. Consumers of rafka, of any topic, are left
-- alone: what they hold is taken over when their sessions have ended.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 consumer that takes
--          3 ms for which an entry must have been idle
--          4 the largest number of entries to take
-- Replies  OK generation (0: none) more (1: there may be further entries) taken (IDs)
--             lost (IDs that are not in the stream)
--          NOGROUP (the stream or the group does not exist)
--          an error of the class of the command that failed, naming the key

local stream, group, most = KEYS[1], ARGV[1], tonumber(ARGV[4])
local generation = redis.pcall('HGET', KEYS[2], 'generation')
if err_of(generation) then
  return error_reply(generation.err, KEYS[2])
end
local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
local err = err_of(consumers)
if err and (string.find(err, 'NOGROUP', 1, true) or string.find(err, 'no such key', 1, true)) then
  return {'NOGROUP'}
elseif err then
  return error_reply(err, stream)
end

-- own reports whether a consumer is a member of a share group of rafka, by the form of its name.
local function own(name)
  return string.match(name, '^rafka:%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x:') ~= nil
end

local ids = {}
for _, entry in ipairs(consumers) do
  local consumer = fields(entry)
  if #ids < most and consumer['pending'] > 0 and not own(consumer['name']) then
    local idle = redis.call('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', text(most - #ids), consumer['name'])
    for _, item in ipairs(idle) do
      ids[#ids + 1] = item[1]
    end
  end
end
local taken, lost = take_over(stream, group, ARGV[2], ids)
return {'OK', generation or '0', #ids == most and '1' or '0', taken, lost}
