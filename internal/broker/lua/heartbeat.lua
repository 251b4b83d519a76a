-- heartbeat: adds a member or extends its membership, drops those whose time has passed, and tells what the group looks like.
-- The first beat of all creates the group.
--
-- KEYS[1]  the members: sorted set, member -> deadline in ms
-- KEYS[2]  the group: hash of group_type, version, planned_version, plan, partitions, initial, last_beat, and owner:member for each static member
-- KEYS[3]  the topic's metadata, unless it is known that there is none
-- KEYS[4]  the stream of a plain topic, if STREAM was the answer without it
-- ARGV     1 member  2 ttl in ms  3 version of the plan that the caller knows  4 largest partition count that the caller has seen
--          5 1 if the caller was a member before  6 group type  7 channel of the group's hints
--          8 ms after which an unused group is forgotten, or 0: never
--          9 the caller's incarnation if it is a static member, else empty
-- Replies  OK version planned_version next_deadline_ms partitions (0: plain) initial members (none if version is planned)
--             plan (empty if there is none or the caller knows it)
--          TYPE stored_type
--          SUPERSEDED owner (a later incarnation of the member is alive: nothing was done)
--          STREAM (whether the plain stream exists has to be known: nothing was done)
--          an error of the class of the command that met it, naming the key

local member, ttl, owner = ARGV[1], tonumber(ARGV[2]), ARGV[9]
local now = now_ms()

local h = redis.pcall('HMGET', KEYS[2], 'group_type', 'version', 'planned_version', 'partitions', 'initial', 'last_beat',
  owner_field(member))
if err_of(h) then
  return refusal(h.err, KEYS[2])
end
if h[1] and h[1] ~= ARGV[6] then
  return {'TYPE', h[1]}
end
local listed = redis.pcall('ZSCORE', KEYS[1], member)
if err_of(listed) then
  return refusal(listed.err, KEYS[1])
end
local before = h[7]
if before and listed and tonumber(listed) > now and supersedes(before, owner) then
  return {'SUPERSEDED', before}
end
local metadata = KEYS[3] and redis.pcall('HGET', KEYS[3], 'partitions')
if err_of(metadata) then
  return refusal(metadata.err, KEYS[3])
end

-- The number of partitions. A topic that lost its metadata keeps the largest count that anybody remembers: it is never taken for
-- a plain one again.
local count = math.max(tonumber(ARGV[4]), tonumber(h[4]) or 0)
if metadata then
  count = tonumber(metadata)
  if not count or count < 1 or count > 100000 or count % 1 ~= 0 then
    return refusal("ERR field partitions is '" .. metadata .. "' and no number from 1 to 100000", KEYS[3])
  end
end

-- How many partitions there were when the group was created. A group that the store lost, as its members know, is not new: all
-- partitions count as later ones then, which are read from their first entry.
local initial = tonumber(h[5])
if not initial or not h[1] then
  initial = 0
  if ARGV[5] ~= '1' and redis.call('ZCARD', KEYS[1]) == 0 then
    if metadata then
      initial = count
    elseif count == 0 then
      if not KEYS[4] then
        return {'STREAM'}
      end
      initial = redis.call('EXISTS', KEYS[4])
    end
  end
end
if h[4] == '0' and count > 0 then
  initial = 0 -- the plain stream is gone and all partitions are new
end

-- Nobody beat for a whole ttl, so Redis was away or its clock jumped, and the caller is still listed: everyone gets one ttl from
-- now, instead of a stampede. A caller that is not listed gets nobody that grace: it has to see the dead as dead. If the clock
-- went back, no deadline stays more than one ttl ahead.
local last = tonumber(h[6]) or 0
local fresh = text(now + ttl)
local spared = {}
if listed and last > 0 and now - last > ttl then
  spared = redis.call('ZRANGE', KEYS[1], '0', '-1')
elseif last > now then
  spared = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. fresh, '+inf')
end
for _, name in ipairs(spared) do
  redis.call('ZADD', KEYS[1], fresh, name)
end

local changed = text(count) ~= h[4]
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now))
-- This comes first, though there may be none, since it is allowed on a server that is out of memory; see commit.lua.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
for _, name in ipairs(dead) do
  redis.call('HDEL', KEYS[2], owner_field(name))
  changed = true
end
if redis.call('ZADD', KEYS[1], fresh, member) == 1 then
  changed = true
end
local version = h[2] or '0'
if changed then
  version = next_number(version)
end
redis.call('HSET', KEYS[2], 'group_type', ARGV[6], 'version', version, 'partitions', text(count), 'initial', text(initial),
  'last_beat', text(now))
local replaces = false
if owner ~= '' then
  redis.call('HSET', KEYS[2], owner_field(member), owner)
  replaces = before and before ~= owner
end
keep(KEYS[1], ARGV[8])
keep(KEYS[2], ARGV[8])
if changed or replaces then
  redis.pcall('PUBLISH', ARGV[7], 'changed')
end

local earliest = redis.call('ZRANGE', KEYS[1], '0', '0', 'WITHSCORES')
local planned = h[3] or '0'
local members, plan = {}, ''
if version ~= planned then
  members = redis.call('ZRANGE', KEYS[1], '0', '-1')
end
if planned ~= '0' and planned ~= ARGV[3] then
  plan = redis.call('HGET', KEYS[2], 'plan') or '' -- it is long, so it is read only where it is needed
end
return {'OK', version, planned, text(tonumber(earliest[2]) - now), text(count), text(initial), members, plan}
