-- convert_to_share: makes a partition of a consumer group one of a share group that continues after
-- the committed offset. rafka's mirror becomes the Redis consumer group that the share group is:
-- the consumers that mark it as a mirror are removed in the same step. What is stored of failing
-- entries stays where it is: it belongs to no generation of the share group, so no member uses it,
-- and the first note of a member removes it.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- KEYS[3]  the share group: hash of generation, low, open, low_ms
-- ARGV     1 group
--          2 ms after which an unused share group expires, or 0: never
--          3 1: change nothing and only reply
-- Replies  OK offset (empty: nothing is stored of the partition)
--          HELD owner remaining_ms (nothing was changed)
--          ADOPTING group (entries of this Redis consumer group come first; nothing was changed)
--          FOREIGN (another client has or uses a Redis consumer group of this name; nothing was changed)
--          an error of the class of the command that failed, naming the key

local stream, group = KEYS[1], ARGV[1]
local h = redis.pcall('HMGET', KEYS[2], 'owner', 'expires_ms', 'offset', 'adopting')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local s = redis.pcall('HMGET', KEYS[3], 'generation', 'low')
if err_of(s) then
  return error_reply(s.err, KEYS[3])
end
local remaining = (tonumber(h[2]) or 0) - now_ms()
if h[1] and h[1] ~= '' and remaining > 0 then
  return {'HELD', h[1], text(remaining)}
elseif h[4] then
  return {'ADOPTING', h[4]}
elseif s[1] and not h[3] then
  return {'OK', s[2] or ''} -- an earlier call has converted it
end
local owner, counts_lag = mirror_owner(stream, group)
if owner == 'foreign' or owner == 'shared' then
  return {'FOREIGN'}
end
local info = owner == 'ours' and mirror_info(stream, group)
local last = info and info['last-delivered-id']
local offset = h[3] or last
if not offset then
  return {'OK', ''}
elseif not is_id(offset) then
  return error_reply("ERR field offset is '" .. offset .. "' and not a stream ID: correct it with HSET", KEYS[2])
end
if ARGV[3] == '1' then
  return {'OK', offset}
end

redis.call('HSET', KEYS[3], 'generation', next_number(s[1]), 'low', offset, 'open', '', 'low_ms', text(now_ms()))
keep(KEYS[3], ARGV[2])
redis.call('UNLINK', KEYS[2])
if owner == 'ours' then
  -- If the group is removed, the first member creates it again at the stored offset.
  local marked = redis.pcall('XGROUP', 'DELCONSUMER', stream, group, MARK)
  if counts_lag or last ~= offset or err_of(marked) then
    local destroyed = redis.pcall('XGROUP', 'DESTROY', stream, group)
    if err_of(destroyed) then
      return error_reply(destroyed.err, stream)
    end
  end
end
return {'OK', offset}
