-- share_note: changes what is stored of entries of a share group that fail. What is stored of an
-- entry follows the entry: only the member at which the entry is pending replaces it, and it is
-- removed only when the entry is pending no more.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- KEYS[3]  the failing entries, see attempts.lua
-- ARGV     1 group
--          2 generation
--          3 consumer
--          4 ms after which unused records expire, or 0: never
--          5 largest number of records
--          6 number of IDs to remove, unless they are pending
--          then these IDs
--          then 5 of each record to store, if the entry is pending at the consumer: ID, attempts, ms
--          since the first failure, lettered, error
-- Replies  OK
--          STALE generation (the stored one, or 0: none; nothing was changed)
--          an error of the class of the command that failed, naming the key

local generation = redis.pcall('HGET', KEYS[2], 'generation')
if err_of(generation) then
  return error_reply(generation.err, KEYS[2])
end
if generation ~= ARGV[2] then
  return {'STALE', generation or '0'}
end
local stored = redis.pcall('HGET', KEYS[3], 'generation')
if err_of(stored) then
  return error_reply(stored.err, KEYS[3])
end
local failed -- the first error of XPENDING

-- is_pending reports whether an entry is pending, at a consumer if one is given. It is not if there
-- is no such group.
local function is_pending(id, ...)
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, '1', ...)
  local err = err_of(pending)
  if err and not string.find(err, 'NOGROUP', 1, true) then
    failed = failed or err
    return true
  end
  return not err and #pending > 0
end

-- remove_acknowledged removes the records of entries that are pending no more.
local function remove_acknowledged()
  for _, id in ipairs(redis.call('HKEYS', KEYS[3])) do
    if id ~= 'generation' and not (is_id(id) and is_pending(id)) then
      redis.call('HDEL', KEYS[3], id)
    end
  end
end

if stored ~= ARGV[2] then
  redis.call('UNLINK', KEYS[3]) -- it belongs to an earlier generation
end
local first = 7 + tonumber(ARGV[6])
for i = 7, first - 1 do
  if not is_pending(ARGV[i]) then
    redis.call('HDEL', KEYS[3], ARGV[i])
  end
end
if first <= #ARGV then
  redis.call('HSET', KEYS[3], 'generation', generation)
  store_attempts(KEYS[3], first, tonumber(ARGV[5]) + 1, function(id)
    return is_pending(id, ARGV[3])
  end, remove_acknowledged)
  keep(KEYS[3], ARGV[4])
end
if redis.call('HLEN', KEYS[3]) == 1 then
  redis.call('UNLINK', KEYS[3]) -- only the generation is left
end
if failed then
  return error_reply(failed, KEYS[1])
end
return {'OK'}
