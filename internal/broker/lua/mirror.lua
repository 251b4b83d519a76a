-- The native mirror, shared by claim, commit and reset: a real Redis consumer group of our group's
-- name whose position follows the committed one, so that XINFO GROUPS and the tools built on it
-- show position and lag. The hash of the lease is the truth; everything here is best effort by
-- pcall.
--
-- Whose is it? A group that somebody else made is never touched. Ours has a consumer of the name
-- below: it is created in the same script as the group and lives and dies with it, on replicas, in
-- dumps and when the stream is deleted. A key of its own could be evicted, and a field of the lease
-- is gone in the one case that asks: when the lease is.

local MARK = 'rafka:mirror'

-- A second consumer is there while entries-read shows what a commit calls accounted, which gives
-- the right lag and is not the count of the position. A group that lost its lease does not take it
-- for that.
local COUNTS_LAG = 'rafka:mirror:lag'

-- mirror_owner is 'ours', 'foreign', 'none' (the stream has no such group) or '' (no stream, or the
-- server can't tell), and whether the group counts for the lag only.
local function mirror_owner(stream, group)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  local err = err_of(consumers)
  if err then
    return string.find(err, 'NOGROUP', 1, true) and 'none' or ''
  end
  local owner, counts_lag = 'foreign', false
  for _, consumer in ipairs(consumers) do
    local name = fields(consumer)['name']
    if name == MARK then
      owner = 'ours'
    elseif name == COUNTS_LAG then
      counts_lag = true
    end
  end
  return owner, counts_lag
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

-- mirror_move lets the mirror follow to the position and returns its owner: 'ours', 'foreign' or ''
-- for no mirror. It is created if the stream has none; the stream is never created. A position
-- beyond the last generated ID, as after a rollback, moves it to that ID only. To learn it, the
-- group is first set to $, which XINFO GROUPS then shows: XINFO STREAM would copy two entries of
-- any size with every commit. Its entries-read becomes accounted, or read if that is '-1'.
local function mirror_move(stream, group, offset, read, accounted)
  local owner, counts_lag = mirror_owner(stream, group)
  local exact = accounted == '-1' or accounted == read
  if owner == 'ours' and counts_lag and exact and not err_of(redis.pcall('XGROUP', 'DESTROY', stream, group)) then
    owner = 'none' -- made again, without the consumer: no other command is needed for that
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
    redis.pcall('XGROUP', 'DESTROY', stream, group) -- better none than one that is ahead of the truth
    return ''
  end
  return 'ours'
end

