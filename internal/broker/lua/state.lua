-- state: returns the state of a stream without its first and last entry, which XINFO STREAM has in
-- its reply whatever their size.
--
-- KEYS[1]  the stream Replies  names and values as in XINFO STREAM, and ends: the number of bytes
-- in the fields of the first
--          and the last entry. ends is missing if XINFO STREAM does not return these entries.
--          the error of the command that failed

local function size(entry)
  local bytes = 0
  for _, value in ipairs(entry[2]) do
    bytes = bytes + #value
  end
  return bytes
end

local reply = redis.pcall('XINFO', 'STREAM', KEYS[1])
if err_of(reply) then
  return reply
end
local info, out = fields(reply), {}
for _, name in ipairs({'length', 'last-generated-id', 'entries-added', 'max-deleted-entry-id', 'recorded-first-entry-id'}) do
  if info[name] then
    out[#out + 1] = name
    out[#out + 1] = info[name]
  end
end
local first, last = info['first-entry'], info['last-entry']
if first == nil and not info['recorded-first-entry-id'] then
  first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', '1')[1]
  last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', '1')[1]
  if last then
    out[#out + 1] = 'last-entry-id'
    out[#out + 1] = last[1]
  end
else
  out[#out + 1] = 'ends'
  out[#out + 1] = (first and size(first) or 0) + (last and size(last) or 0)
end
if first and not info['recorded-first-entry-id'] then
  out[#out + 1] = 'recorded-first-entry-id'
  out[#out + 1] = first[1]
end
return out
