-- Positions in a stream, for claim and seek. A position is an offset and read: the number of
-- entries ever added up to the offset, as text, '-1' if unknown. accounted is a lower bound for the
-- number of entries ever added that are not to be read after the position.

-- last_id returns the last ID of a stream. XINFO STREAM of some servers does not count entries that
-- were added with an explicit ID.
local function last_id(stream, info)
  local last = info['last-generated-id']
  if info['entries-added'] then
    return last
  end
  local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
  if newest and (not is_id(last) or below(last, newest[1])) then
    return newest[1]
  end
  return is_id(last) and last or '0-0'
end

-- start_position returns offset, read and accounted of a start (earliest, latest, or at: after the
-- offset at), or nil and an error. A start after the end of the stream is the end: otherwise the
-- position would look like one that was rolled back.
local function start_position(stream, start, at)
  local reply = redis.pcall('XINFO', 'STREAM', stream)
  local err = err_of(reply)
  if err then
    if not string.find(err, 'no such key', 1, true) then
      return nil, err
    elseif start == 'at' then
      return at, '-1', '-1'
    end
    return '0-0', '0', '0'
  end
  local info = fields(reply)
  local added = info['entries-added']
  if start ~= 'earliest' then
    local last = last_id(stream, info)
    if start == 'latest' or below(last, at) then
      return last, text(added or -1), text(added or -1)
    end
    local first = info['first-entry']
    if not added then
      return at, '-1', '-1'
    elseif type(first) ~= 'table' then
      return at, '-1', text(added)
    elseif not below(at, first[1]) then
      return at, '-1', text(added - info['length'] + 1) -- the first entry is not to be read
    end
  end
  local removed = text(added and added - info['length'] or -1)
  return start == 'at' and at or '0-0', removed, removed
end
