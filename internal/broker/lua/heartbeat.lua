-- heartbeat: adds a member or extends its membership, removes the members whose time has passed,
-- and returns the state of the group. The first heartbeat creates the group and adds it to the
-- groups of the topic. So does a heartbeat that looks there and does not find it.
--
-- KEYS[1]  the members: sorted set of member -> deadline in ms
-- KEYS[2]  the group: hash of group_type, version, planned_version, plan, partitions, initial,
--          last_beat, owner:member for each static member, departed (see departed.lua), and
--          registered_ms (when the group, which was known, was added to the groups of the topic)
-- KEYS     then the ones that argument 11 lists
-- ARGV     1 member
--          2 ttl in ms
--          3 version of the plan that the caller knows; in a share group, which has no plan,
--            version of the members that the caller knows
--          4 largest number of partitions that the caller has seen
--          5 1: the caller was a member before
--          6 group type
--          7 channel of the group's hints
--          8 ms after which an unused group expires, or 0: never
--          9 the caller's incarnation if it is a static member, else empty
--          10 1: in a share group, an earlier heartbeat under this name succeeded
--          11 the other keys, in this order: g (the groups of the topic: a set; needed now and then,
--            and if the reply without it was GROUPS), m (the topic's metadata, unless the caller
--            knows that they do not exist), s (the stream of a plain topic, if the reply without it
--            was STREAM)
--          12 group
--          13 1: in a share group, return the groups of the topic
--          14 ms after which all groups have been added again to groups of the topic that were lost
-- Replies  OK version planned_version next_deadline_ms partitions (0: plain) initial
--             members (none if version equals planned_version)
--             plan (empty: none, or the caller knows it)
--          OK version planned_version next_deadline_ms partitions initial members departed, for a
--             share group: the names at which entries are pending, of members and of members that
--             ended (none if the caller knows the version)
--             now_ms groups (of the topic; both only if the caller named their key and wants them,
--             and not soon after they were lost)
--          GONE (the group does not list the caller any more; nothing was changed)
--          TYPE stored_type
--          SUPERSEDED owner (a later incarnation of the member is alive; nothing was changed)
--          GROUPS (the caller must name the groups of the topic; nothing was changed)
--          STREAM (the caller must name the plain stream; nothing was changed)
--          an error of the class of the command that failed, naming the key

local args = {
  member = ARGV[1],
  ttl = tonumber(ARGV[2]),
  known_plan = ARGV[3],
  seen_partitions = tonumber(ARGV[4]),
  rejoins = ARGV[5] == '1',
  group_type = ARGV[6],
  hints = ARGV[7],
  unused_ms = ARGV[8],
  owner = ARGV[9],
  continues = ARGV[10] == '1',
  group = ARGV[12],
  lists_groups = ARGV[13] == '1',
  back_ms = tonumber(ARGV[14]),
}
local named = 2

-- further returns the next key if argument 11 has its letter.
local function further(letter)
  if string.find(ARGV[11], letter, 1, true) then
    named = named + 1
    return KEYS[named]
  end
end
local groups_key, metadata_key, stream_key = further('g'), further('m'), further('s')
local share = args.group_type == 'share'
local now = now_ms()
local fresh = text(now + args.ttl) -- the deadline of a member that beats now

local h = redis.pcall('HMGET', KEYS[2], 'group_type', 'version', 'planned_version', 'partitions',
  'initial', 'last_beat', owner_field(args.member), 'departed', 'registered_ms')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local group = {
  type = h[1],
  version = h[2] or '0',
  planned = h[3] or '0',
  partitions = h[4],
  initial = tonumber(h[5]),
  last_beat = tonumber(h[6]) or 0,
  owner = h[7], -- the stored incarnation of the caller
  departed = h[8] or '',
  registered = tonumber(h[9]) or 0,
}

-- count_partitions returns the number of partitions, or nil and an error. A topic that lost its
-- metadata keeps the largest number that the caller or the group has seen: it is never taken for a
-- plain topic.
local function count_partitions(metadata)
  if not metadata then
    return math.max(args.seen_partitions, tonumber(group.partitions) or 0)
  end
  local count = tonumber(metadata)
  if not count or count < 1 or count > 100000 or count % 1 ~= 0 then
    return nil, "ERR field partitions is '" .. metadata .. "' and not a number from 1 to 100000"
  end
  return count
end

-- initial_partitions returns the number of partitions when the group was created, or nil if that
-- depends on a plain stream that the caller did not name. A group that the store lost is not new if
-- its members remember it: then all partitions count as added later, and are read from their first
-- entry.
local function initial_partitions(count, metadata)
  if group.partitions == '0' and count > 0 then
    return 0 -- the plain stream is gone and all partitions are new
  end
  if group.initial and group.type then
    return group.initial
  end
  if args.rejoins or redis.call('ZCARD', KEYS[1]) > 0 then
    return 0
  end
  if metadata then
    return count
  end
  if count > 0 then
    return 0
  end
  return stream_key and redis.call('EXISTS', stream_key)
end

-- spared_members returns the members that get one ttl from now. If the caller is listed and no
-- member beat for a whole ttl, Redis was unavailable or its clock jumped: then all members are
-- spared, or all of them would be removed together. A caller that is not listed spares no member,
-- because it must see dead members as dead. If the clock went back, no deadline stays more than one
-- ttl ahead.
local function spared_members(listed)
  if listed and group.last_beat > 0 and now - group.last_beat > args.ttl then
    return redis.call('ZRANGE', KEYS[1], '0', '-1')
  elseif group.last_beat > now then
    return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. fresh, '+inf')
  end
  return {}
end

-- holders returns the names at which entries of members are pending: the incarnation of a static
-- member, the member itself otherwise.
local function holders(members)
  local names = {}
  for first = 1, #members, 1000 do
    local owners = {}
    for i = first, math.min(first + 999, #members) do
      owners[#owners + 1] = owner_field(members[i])
    end
    for i, owner in ipairs(redis.call('HMGET', KEYS[2], unpack(owners))) do
      names[#names + 1] = owner or members[first + i - 1]
    end
  end
  return names
end

-- note_departed adds the members of a share group that are about to be removed to the ones that
-- ended, except the caller, whose session continues.
local function note_departed(dead)
  for i, name in ipairs(share and holders(dead) or {}) do
    if dead[i] ~= args.member then
      group.departed = add_departed(group.departed, name)
    end
  end
end

-- update_members removes the dead members and adds the caller. It returns whether the members
-- changed.
local function update_members()
  local changed = false
  local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now))
  note_departed(dead)
  -- This write comes first, even if no member is dead: a server that is out of memory permits it,
  -- and then permits all later writes of the script.
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
  for _, name in ipairs(dead) do
    redis.call('HDEL', KEYS[2], owner_field(name))
    changed = true
  end
  return redis.call('ZADD', KEYS[1], fresh, args.member) == 1 or changed
end

-- store_group writes the group and extends its expiry. It returns whether the caller is a new
-- incarnation of a member.
local function store_group(version, count, initial)
  redis.call('HSET', KEYS[2], 'group_type', args.group_type, 'version', version, 'partitions', text(count),
    'initial', text(initial), 'last_beat', text(now))
  local replaces = false
  if args.owner ~= '' then
    redis.call('HSET', KEYS[2], owner_field(args.member), args.owner)
    replaces = group.owner and group.owner ~= args.owner
  end
  if group.departed ~= (h[8] or '') then
    redis.call('HSET', KEYS[2], 'departed', group.departed)
  end
  keep(KEYS[1], args.unused_ms)
  keep(KEYS[2], args.unused_ms)
  return replaces
end

-- register adds the group to the groups of the topic. If the group was known, these were lost, or the
-- group is older than they are: then other groups may be missing too for a while.
local function register()
  redis.call('SADD', groups_key, args.group)
  if group.type then
    group.registered = now
    redis.call('HSET', KEYS[2], 'registered_ms', text(now))
  end
end

-- view returns the reply with the state of the group.
local function view(version, count, initial)
  local earliest = redis.call('ZRANGE', KEYS[1], '0', '0', 'WITHSCORES')
  if share then
    local known = version == args.known_plan
    local reply = {'OK', version, group.planned, text(tonumber(earliest[2]) - now), text(count), text(initial),
      known and {} or holders(redis.call('ZRANGE', KEYS[1], '0', '-1')), known and {} or departed_names(group.departed)}
    if args.lists_groups and groups_key and math.abs(now - group.registered) > args.back_ms then
      reply[9], reply[10] = text(now), redis.call('SMEMBERS', groups_key)
    end
    return reply
  end
  local members, plan = {}, ''
  if version ~= group.planned then
    members = redis.call('ZRANGE', KEYS[1], '0', '-1')
  end
  if group.planned ~= '0' and group.planned ~= args.known_plan then
    plan = redis.call('HGET', KEYS[2], 'plan') or '' -- a plan is long, so it is read only if needed
  end
  return {'OK', version, group.planned, text(tonumber(earliest[2]) - now), text(count), text(initial), members, plan}
end

if group.type and group.type ~= args.group_type then
  return {'TYPE', group.type}
end
local listed = redis.pcall('ZSCORE', KEYS[1], args.member)
if err_of(listed) then
  return error_reply(listed.err, KEYS[1])
end
if group.owner and listed and tonumber(listed) > now and supersedes(group.owner, args.owner) then
  return {'SUPERSEDED', group.owner}
end
if share and args.continues and (not listed or (group.owner or '') ~= args.owner) then
  return {'GONE'}
end
local metadata = metadata_key and redis.pcall('HGET', metadata_key, 'partitions')
if err_of(metadata) then
  return error_reply(metadata.err, metadata_key)
end
local count, damaged = count_partitions(metadata)
if not count then
  return error_reply(damaged, metadata_key)
end
if not group.type and not groups_key then
  return {'GROUPS'}
end
local registered = groups_key and redis.pcall('SISMEMBER', groups_key, args.group)
if err_of(registered) then
  return error_reply(registered.err, groups_key)
end
local initial = initial_partitions(count, metadata)
if not initial then
  return {'STREAM'}
end

for _, name in ipairs(spared_members(listed)) do
  redis.call('ZADD', KEYS[1], fresh, name)
end
local changed = update_members() or text(count) ~= group.partitions
if share and group.owner and args.owner ~= '' and group.owner ~= args.owner then
  group.departed = add_departed(group.departed, group.owner)
  changed = true
end
if registered == 0 then
  register()
end
local version = changed and next_number(group.version) or group.version
if store_group(version, count, initial) or changed then
  redis.pcall('PUBLISH', args.hints, 'changed')
end
return view(version, count, initial)
