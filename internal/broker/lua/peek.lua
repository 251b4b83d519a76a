-- peek: returns the offset and the size of the entry after an offset.
--
-- KEYS[1]  the stream
-- ARGV     1 the offset
-- Replies  OK id bytes
--          NONE (there is no entry)
--          an error of the class of the command that failed, naming the key

local reply = redis.pcall('XREAD', 'COUNT', '1', 'STREAMS', KEYS[1], ARGV[1])
local err = err_of(reply)
if err then
  return error_reply(err, KEYS[1])
elseif not reply or not reply[1] then
  return {'NONE'}
end
local entry, bytes = reply[1][2][1], 0
for _, value in ipairs(entry[2]) do
  bytes = bytes + #value
end
return {'OK', entry[1], text(bytes)}
