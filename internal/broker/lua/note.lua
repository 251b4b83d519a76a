-- note: changes what is stored of the entries of a split that fail, under the lease of the split.
-- It does not extend the lease.
--
-- KEYS[1]  the lease
-- KEYS[2]  the failing entries, see attempts.lua
-- ARGV     1 owner
--          2 epoch
--          3 ms after which unused records expire, or 0: never
--          4 largest number of records
--          5 number of IDs to remove
--          then these IDs
--          then 5 of each record to store: ID, attempts, ms since the first failure, lettered, error
-- Replies  OK
--          FENCED owner epoch (the stored ones) moved (seek, delete, or empty: not by an operator)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'owner', 'epoch', 'moved', 'offset', 'adopting')
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or '', moved_by(h[3], ARGV[2])}
end

-- remove_passed removes the records of entries that the offset has passed. While another group is
-- adopted, entries that the offset has passed can be pending there.
local function remove_passed()
  if h[5] or not is_id(h[4]) then
    return
  end
  for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do
    if not is_id(id) or not below(h[4], id) then
      redis.call('HDEL', KEYS[2], id)
    end
  end
end

local first = 6 + tonumber(ARGV[5])
for i = 6, first - 1 do
  local removed = redis.pcall('HDEL', KEYS[2], ARGV[i])
  if err_of(removed) then
    return error_reply(removed.err, KEYS[2])
  end
end
if first > #ARGV then
  return {'OK'}
end
local size = redis.pcall('HLEN', KEYS[2])
if err_of(size) then
  return error_reply(size.err, KEYS[2])
end
store_attempts(KEYS[2], first, tonumber(ARGV[4]), function() return true end, remove_passed)
keep(KEYS[2], ARGV[3])
return {'OK'}
