-- count_entries: counts entries of a stream in a range, without returning them. It is asked for a few hundred at a time, since the server makes a
-- copy of each and does nothing else meanwhile. The state of the stream is not told: XINFO STREAM would copy two more entries of any size.
--
-- KEYS[1]  the partition's stream
-- ARGV     1 the offset before the range  2 the last offset in it  3 how many entries may be looked at
-- Replies  OK entries first last (their offsets, empty if there are none) more (1 if the range may go on) bytes (mean of an entry)
--             microseconds (that the server worked, 0 if its clock stands still in scripts)
--          an error of the class of the command that met it, naming the key

local samples = 16 -- entries that are measured

local began = now_us()
local found = redis.pcall('XREAD', 'COUNT', ARGV[3], 'STREAMS', KEYS[1], ARGV[1])
if err_of(found) then
  return refusal(found.err, KEYS[1])
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
