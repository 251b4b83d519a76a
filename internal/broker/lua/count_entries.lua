-- count_entries: counts the entries of a stream in a range, without returning them. Callers count a
-- few hundred entries per call, because the server copies each entry and does nothing else
-- meanwhile. The reply does not have the state of the stream: XINFO STREAM would copy two more
-- entries of any size.
--
-- KEYS[1]  the partition's stream
-- ARGV     1 the offset before the range
--          2 the last offset in the range
--          3 the largest number of entries to read
-- Replies  OK entries first last (their offsets, empty: none) more (1: the range can have more
-- entries)
--             bytes (mean of an entry) microseconds (that the server needed; 0 if its clock stands
--             still in scripts)
--          an error of the class of the command that failed, naming the key

local samples = 16 -- entries that are measured

local began = now_us()
local found = redis.pcall('XREAD', 'COUNT', ARGV[3], 'STREAMS', KEYS[1], ARGV[1])
if err_of(found) then
  return error_reply(found.err, KEYS[1])
end
local entries = found and found[1] and found[1][2] or {}
local n = #entries
while n > 0 and below(ARGV[2], entries[n][1]) do
  n = n - 1
end
local bytes, measured = 0, 0
for i = 1, #entries, math.max(1, math.ceil(#entries / samples)) do
  for _, value in ipairs(entries[i][2]) do
    bytes = bytes + #value
  end
  measured = measured + 1
end
local more = #entries == tonumber(ARGV[3]) and n == #entries and below(entries[n][1], ARGV[2])
return {'OK', text(n), n > 0 and entries[1][1] or '', n > 0 and entries[n][1] or '', more and '1' or '',
  text(measured > 0 and math.ceil(bytes / measured) or 0), text(now_us() - began)}
