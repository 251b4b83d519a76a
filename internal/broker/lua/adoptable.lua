-- Which Redis consumer groups rafka can continue, for claim and adopt.

-- For this long, no consumer of the group must have received anything.
local QUIET_MS = 600000

-- adoptable returns the fields of a group in XINFO GROUPS if rafka can continue it. Otherwise it
-- returns nil and a reply:
--   REFUSED none stream group (the stream has no such group)
--   REFUSED rafka stream group (the group mirrors the position of a group of rafka)
--   REFUSED active stream group consumer idle_ms (the consumer has received something recently)
local function adoptable(stream, group)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  local err = err_of(consumers)
  if err and (string.find(err, 'NOGROUP', 1, true) or string.find(err, 'no such key', 1, true)) then
    return nil, {'REFUSED', 'none', stream, group}
  elseif err then
    return nil, error_reply(err, stream)
  end
  for _, consumer in ipairs(consumers) do
    local info = fields(consumer)
    -- Before Redis 7.2 only idle exists. Later, idle also counts reads that returned nothing, and
    -- inactive is -1 for a consumer that never received anything.
    local idle = info['inactive'] or info['idle']
    if info['name'] == MARK then
      return nil, {'REFUSED', 'rafka', stream, group}
    elseif idle >= 0 and idle < QUIET_MS then
      return nil, {'REFUSED', 'active', stream, group, info['name'], text(idle)}
    end
  end
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if err_of(groups) then
    return nil, error_reply(groups.err, stream)
  end
  return mirror_info(stream, group)
end
