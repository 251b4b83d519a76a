-- share_holders: lists the consumers of a share group whose names have a prefix: the members of one
-- topic. It returns the lag of the group and the oldest pending entry too.
--
-- KEYS[1]  the partition's stream
-- ARGV     1 group
--          2 prefix
-- Replies  OK names pending (as many numbers) lag (-1: unknown) oldest (the lowest ID that is pending
--             at any consumer; empty: none)
--          NOGROUP (the stream or the group does not exist)
--          an error of the class of the command that failed, naming the key

local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
local err = err_of(consumers)
if err and (string.find(err, 'NOGROUP', 1, true) or string.find(err, 'no such key', 1, true)) then
  return {'NOGROUP'}
elseif err then
  return error_reply(err, KEYS[1])
end
local names, pending = {}, {}
for _, entry in ipairs(consumers) do
  local consumer = fields(entry)
  if string.sub(consumer['name'], 1, #ARGV[2]) == ARGV[2] then
    names[#names + 1] = consumer['name']
    pending[#pending + 1] = text(consumer['pending'])
  end
end
local waiting = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if err_of(waiting) then
  return error_reply(waiting.err, KEYS[1])
end
local info = mirror_info(KEYS[1], ARGV[1])
return {'OK', names, pending, text(info and lag_of(KEYS[1], info) or -1), waiting[2] or ''}
