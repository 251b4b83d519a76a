-- The lag of a share group, for the scripts that describe it.

-- lag_of returns the lag of a native group by its fields in XINFO GROUPS, or nil. If the last
-- delivered entry was deleted and earlier entries were not, as when they are still pending, Redis
-- does not return the lag. If nothing behind the last delivered entry was deleted, the number of
-- entries ever added gives it.
local function lag_of(stream, info)
  if info['lag'] or not info['entries-read'] then
    return info['lag'] or nil
  end
  local reply = redis.pcall('XINFO', 'STREAM', stream)
  if err_of(reply) then
    return nil
  end
  local state = fields(reply)
  local deleted = state['max-deleted-entry-id']
  if not deleted or below(info['last-delivered-id'], deleted) then
    return nil
  end
  return state['entries-added'] - info['entries-read']
end
