-- claim: takes the lease of a split, unless another member holds it, and returns the position from
-- which to read. An earlier incarnation of the same static member does not keep a claim from the
-- lease.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease: hash of owner, epoch, expires_ms, ttl_ms, offset, read, accounted, attempts,
--          claim_offset, mirror, moved (see moved.lua), done
--          (ranges, see finished.go), adopting (the Redis consumer group whose
--          pending entries come first), adopting_removes (1: that group is removed afterwards),
--          suspect and deaths (see suspect.go)
-- ARGV     1 owner: the member, or its incarnation
--          2 ttl in ms
--          3 group
--          4 start: earliest, latest, at, group (where the Redis consumer group of this name stands)
--          5 for at: the offset before the first entry to read
--          6 ms after which an unused lease expires, or 0: never
--          7 largest number of deaths
-- Replies  OK epoch offset read attempts mirror (ours, shared, foreign, or empty: none)
--             deleted (the epoch under which an operator deleted the topic, or 0)
--             resolved (1: no offset was stored)
--             done (the ranges behind the offset of which all entries are finished)
--             adopting (empty: none) suspect (an ID, or empty: none) deaths
--          HELD owner remaining_ms
--          REFUSED (see adoptable.lua)
--          an error of the class of the command that failed, naming the key

local member, ttl, group = ARGV[1], tonumber(ARGV[2]), ARGV[3]

-- shared_position returns the position of a mirror that other clients use too: before everything that
-- is pending there, since these clients have moved the mirror beyond it.
local function shared_position(last)
  local pending = redis.pcall('XPENDING', KEYS[1], group)
  if err_of(pending) then
    return start_position(KEYS[1], 'earliest', '')
  end
  local lowest = pending[2]
  if lowest and not below(last, lowest) then
    last = id_before(lowest)
  end
  return start_position(KEYS[1], 'at', last)
end

-- adopted_position is first_position for start group.
local function adopted_position()
  local info, refusal = adoptable(KEYS[1], group)
  if not info then
    return nil, refusal
  end
  local offset, read, accounted = start_position(KEYS[1], 'at', info['last-delivered-id'])
  return offset, read, accounted, group
end

-- first_position returns offset, read, accounted and adopting for a group without a stored position,
-- or nil and an error or a reply.
local function first_position()
  local mirror, counts_lag = mirror_owner(KEYS[1], group)
  local info = (mirror == 'ours' or mirror == 'shared') and mirror_info(KEYS[1], group)
  local last = info and info['last-delivered-id']
  if not is_id(last) then
    if ARGV[4] == 'group' then
      return adopted_position()
    end
    return start_position(KEYS[1], ARGV[4], ARGV[5])
  elseif mirror == 'shared' then
    return shared_position(last)
  end
  local count = text(info['entries-read'] or -1)
  return last, counts_lag and '-1' or count, count
end

-- count_attempts counts the takeovers of a lease that its owner let expire without moving the
-- offset: the entries may have killed that owner.
local function count_attempts(owner, attempts, claim_offset, offset)
  if owner == '' then
    return 0
  elseif owner == member then
    return attempts
  elseif claim_offset == offset then
    return attempts + 1
  end
  return 1
end

-- next_suspect returns the ID of the suspect of a lease after a claim, when nothing is in flight any
-- more, and the deaths. What was in flight counts only if the lease was not released and its owner is
-- not the one that claims: then that owner may have died of it.
local function next_suspect(h, offset, adopting)
  local died = (h[1] or '') ~= '' and h[1] ~= member
  local function behind(id) -- what an adopted group has pending is before the offset too
    return id and id ~= '0-0' and (adopting or below(offset, id))
  end
  local kept = {}
  for death in string.gmatch(h[15] or '', '%S+') do
    if behind(string.match(death, '^(%d+%-%d+)@%d+$')) then
      kept[#kept + 1] = death
    end
  end
  local id, flight = string.match(h[14] or '', '^(%d+%-%d+) (%a+) %d+$')
  if not behind(id) or (flight == 'batch' and not died) then
    id = ''
  elseif flight == 'alone' and died then
    kept[#kept + 1] = id .. '@' .. h[2]
  end
  return id, table.concat(kept, ' ', math.max(1, #kept - ARGV[7] + 1))
end

local now = now_ms()
local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'expires_ms', 'ttl_ms', 'offset', 'read', 'attempts', 'claim_offset', 'mirror',
  'moved', 'accounted', 'done', 'adopting', 'suspect', 'deaths')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local owner = h[1] or ''

if owner ~= '' and owner ~= member and not supersedes(member, owner) then
  local remaining = (tonumber(h[3]) or 0) - now
  local longest = tonumber(h[4]) or ttl
  if remaining > longest then
    -- The clock went back. The lease gets its ttl from now, once, so the new deadline is stored.
    remaining = longest
    redis.call('HSET', KEYS[2], 'expires_ms', text(now + longest))
  end
  if remaining > 0 then
    return {'HELD', owner, text(remaining)}
  end
end

local offset, read, accounted, adopting = h[5], h[6] or '-1', h[11] or '-1', h[13]
if offset and not is_id(offset) then
  return error_reply("ERR field offset is '" .. offset .. "' and not a stream ID: set or delete it", KEYS[2])
elseif not offset then
  offset, read, accounted, adopting = first_position()
  if not offset then
    return type(read) == 'table' and read or error_reply(read, KEYS[1])
  end
end

local attempts = count_attempts(owner, tonumber(h[7]) or 0, h[8], offset)
local suspect, deaths = next_suspect(h, offset, adopting)
local epoch = next_number(h[2])
local claim_offset = owner == member and h[8] or offset
local unused = adopting and '0' or ARGV[6]
if h[5] then
  keep(KEYS[2], unused) -- first, for a server that is out of memory: a takeover needs no new memory
end
redis.call('HSET', KEYS[2], 'owner', member, 'epoch', epoch, 'expires_ms', text(now + ttl), 'ttl_ms', text(ttl),
  'offset', offset, 'read', read, 'accounted', accounted, 'attempts', text(attempts), 'claim_offset', claim_offset)
if not h[5] then
  keep(KEYS[2], unused)
end
if (h[14] or '') ~= '' or (h[15] or '') ~= '' then
  redis.call('HSET', KEYS[2], 'suspect', suspect == '' and '' or suspect .. ' waiting 0', 'deaths', deaths)
end
if adopting and not h[13] then
  redis.call('HSET', KEYS[2], 'adopting', adopting)
end

-- While another group is adopted there is no mirror: a claim would take it for the position, and skip
-- what is pending.
local mirror = not adopting and mirror_move(KEYS[1], group, offset, read, accounted) or ''
if mirror ~= h[9] then
  redis.call('HSET', KEYS[2], 'mirror', mirror)
end
return {'OK', epoch, offset, read, text(attempts), mirror, string.match(h[10] or '', '^delete (%d+)') or '0',
  h[5] and '0' or '1', h[5] and h[12] or '', adopting or '', suspect, deaths}
