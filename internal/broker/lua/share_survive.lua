-- share_survive: takes back the deaths that were counted of a consumer of a share group, or would be:
-- its process is alive. See suspects.lua.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 consumer
--          3 turn, see suspects.lua
-- Replies  OK
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HGETALL', KEYS[2])
if err_of(h) then
  return error_reply(h.err, KEYS[2])
elseif #h == 0 then
  return {'OK'} -- nothing is stored, and nothing will be: every later generation is another one
end
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', '1', ARGV[2])
local err = err_of(pending)
if err and not string.find(err, 'NOGROUP', 1, true) then
  return error_reply(err, KEYS[1])
end

redis.call('HDEL', KEYS[2], '=' .. ARGV[2]) -- first, for a server that is out of memory
if not err and #pending > 0 then
  redis.call('HSET', KEYS[2], 'suspects', '1', '=' .. ARGV[2], ARGV[3] .. ' waiting')
end
for i = 1, #h, 2 do
  if is_id(h[i]) then
    local takeovers, consumers = deaths_of(h[i + 1])
    local record = record_of(takeovers, consumers, ARGV[2])
    if record ~= h[i + 1] then
      redis.call('HSET', KEYS[2], h[i], record)
    end
  end
end
return {'OK'}
