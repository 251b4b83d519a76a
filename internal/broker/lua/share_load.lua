-- share_load: returns entries by their IDs, until they have a size.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 the size in bytes: no further entry is returned when the entries have it; 0: only the
--            size of the first entry is returned
--          2 generation: nothing is returned that was counted in another one
--          3 ... the IDs
-- Replies  OK looked (the number of IDs that the reply is about) entries (the ones that exist) size
--             suspected (see suspects.lua: ID, takeovers, deaths of each entry of which these were
--             counted)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[2], 'generation', 'suspects')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local suspected = {}
if h[1] == ARGV[2] and h[2] then
  for i, record in ipairs(redis.call('HMGET', KEYS[2], unpack(ARGV, 3))) do
    if record then
      local takeovers, consumers = deaths_of(record)
      for _, word in ipairs({ARGV[i + 2], text(takeovers), text(#consumers)}) do
        suspected[#suspected + 1] = word
      end
    end
  end
end
local entries, bytes, looked = {}, 0, 0
for i = 3, #ARGV do
  local found = redis.pcall('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if err_of(found) then
    return error_reply(found.err, KEYS[1])
  end
  looked = looked + 1
  if found[1] then
    entries[#entries + 1] = found[1]
    for _, value in ipairs(found[1][2]) do
      bytes = bytes + #value
    end
  end
  if bytes >= tonumber(ARGV[1]) then
    break
  end
end
return {'OK', text(looked), ARGV[1] == '0' and {} or entries, text(bytes), suspected}
