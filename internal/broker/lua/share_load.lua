-- share_load: returns entries by their IDs, until they have a size.
--
-- KEYS[1]  the partition's stream
-- ARGV     1 the size in bytes: no further entry is returned when the entries have it; 0: only the
--            size of the first entry is returned
--          2 ... the IDs
-- Replies  OK looked (the number of IDs that the reply is about) entries (the ones that exist) size
--          an error of the class of the command that failed, naming the key

local entries, bytes, looked = {}, 0, 0
for i = 2, #ARGV do
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
return {'OK', text(looked), ARGV[1] == '0' and {} or entries, text(bytes)}
