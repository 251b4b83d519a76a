-- The mirror, for claim, commit, reset and seek: a real Redis consumer group with the group's name
-- whose position follows the committed position, so that XINFO GROUPS and the tools built on it
-- show position and lag. The hash of the lease is authoritative; all commands here are best effort
-- by pcall.
--
-- A consumer group that rafka did not create is never changed. rafka's own group has a consumer
-- with the name below, which is created in the same script as the group. The consumer exists as
-- long as the group, on replicas and in dumps too. A separate key could be evicted, and a field of
-- the lease would be lost together with the lease, which is when the mirror is needed.
--
-- A mirror is shared if it has another consumer or a pending entry: then another client reads with
-- it, and has moved its position. rafka does not change a shared mirror.

local MARK = 'rafka:mirror'

-- This second consumer exists while entries-read is set to what a commit calls accounted: that
-- number gives the right lag, but is not the count of the position. A group that lost its lease
-- does not use it.
local COUNTS_LAG = 'rafka:mirror:lag'

-- mirror_owner returns 'ours', 'shared', 'foreign', 'none' (the stream has no such group) or ''
-- (no stream, or unknown), and whether the group counts only for the lag.
local function mirror_owner(stream, group)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  local err = err_of(consumers)
  if err then
    return string.find(err, 'NOGROUP', 1, true) and 'none' or ''
  end
  local marked, counts_lag, used = false, false, false
  for _, consumer in ipairs(consumers) do
    local info = fields(consumer)
    local mark, lag_mark = info['name'] == MARK, info['name'] == COUNTS_LAG
    marked, counts_lag = marked or mark, counts_lag or lag_mark
    used = used or not (mark or lag_mark) or (tonumber(info['pending']) or 0) > 0
  end
  if not marked then
    return 'foreign', counts_lag
  end
  return used and 'shared' or 'ours', counts_lag
end

-- mirror_info returns the fields of the group in XINFO GROUPS, or nil.
local function mirror_info(stream, group)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if err_of(groups) then
    return nil
  end
  for _, entry in ipairs(groups) do
    local info = fields(entry)
    if info['name'] == group then
      return info
    end
  end
  return nil
end

-- mirror_move moves the mirror to the position and returns its owner: 'ours', 'shared', 'foreign' or
-- '' for no mirror. It creates the mirror if the stream has none, and never creates the stream. A position
-- after the last generated ID, as after a rollback, moves the mirror to that ID only. To read that
-- ID, the group is first set to $, and XINFO GROUPS then returns it: XINFO STREAM would copy two
-- entries of any size with every commit. The mirror's entries-read becomes accounted, or read if
-- accounted is '-1'.
local function mirror_move(stream, group, offset, read, accounted)
  local owner, counts_lag = mirror_owner(stream, group)
  local exact = accounted == '-1' or accounted == read
  if owner == 'ours' and counts_lag and exact and not err_of(redis.pcall('XGROUP', 'DESTROY', stream, group)) then
    owner = 'none' -- create it again without the consumer
  end
  if owner == 'none' then
    if err_of(redis.pcall('XGROUP', 'CREATE', stream, group, '$', 'ENTRIESREAD', '-1')) then
      return ''
    end
    if err_of(redis.pcall('XGROUP', 'CREATECONSUMER', stream, group, MARK)) then
      redis.pcall('XGROUP', 'DESTROY', stream, group)
      return ''
    end
  elseif owner ~= 'ours' or err_of(redis.pcall('XGROUP', 'SETID', stream, group, '$')) then
    return owner
  end
  local info = mirror_info(stream, group)
  local last = info and info['last-delivered-id']
  if is_id(last) and below(last, offset) then
    return 'ours'
  end
  local shown = read
  if not exact and (counts_lag or not err_of(redis.pcall('XGROUP', 'CREATECONSUMER', stream, group, COUNTS_LAG))) then
    shown = accounted
  end
  if not is_id(last) or err_of(redis.pcall('XGROUP', 'SETID', stream, group, offset, 'ENTRIESREAD', shown)) then
    redis.pcall('XGROUP', 'DESTROY', stream, group) -- the mirror must not be ahead of the lease
    return ''
  end
  return 'ours'
end

