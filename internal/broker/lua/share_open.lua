-- share_open: creates the native group of a share group on a partition unless it exists. It never
-- creates the stream.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the share group (see share.lua)
-- ARGV     1 group
--          2 start: earliest, latest, at
--          3 for at: the offset before the first entry to read
--          4 ms after which an unused share group expires, or 0: never
-- Replies  OK generation reset (1: the group was created at the first entry, because the stream is
--             not the one that the group had read)
--          ABSENT generation (the stream does not exist)
--          an error of the class of the command that failed, naming the key

local group = ARGV[1]
local h = redis.pcall('HMGET', KEYS[2], 'generation', 'low', 'open')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local generation, low, open = h[1], h[2], h[3]
local absent = false
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if err_of(groups) then
  absent = string.find(groups.err, 'no such key', 1, true)
  if not absent then
    return error_reply(groups.err, KEYS[1])
  end
  groups = {}
end

-- store stores a new generation and the position of the group. What is suspected ends.
local function store(position, is_open)
  if generation then
    redis.call('UNLINK', KEYS[2]) -- first, for a server that is out of memory
  end
  generation = next_number(generation)
  redis.call('HSET', KEYS[2], 'generation', generation, 'low', position, 'open', is_open, 'low_ms', text(now_ms()))
  keep(KEYS[2], ARGV[4])
end

-- position_to_create returns the position of a group that the stream does not have, and whether it
-- is the beginning of another stream; or nil and an error.
local function position_to_create()
  if not generation or not is_id(low) then
    local position, err = start_position(KEYS[1], ARGV[2], ARGV[3])
    return position, position and '0' or err
  end
  if below(last_id(KEYS[1], fields(redis.call('XINFO', 'STREAM', KEYS[1]))), low) then
    return '0-0', '1'
  elseif open ~= '1' then
    return low, '0'
  end
  local before = redis.call('XREVRANGE', KEYS[1], '(' .. low, '-', 'COUNT', '1')[1]
  return before and before[1] or '0-0', '0'
end

if absent then
  if not generation then
    store(ARGV[2] == 'at' and ARGV[3] or '0-0', '')
  end
  return {'ABSENT', generation}
end
for _, entry in ipairs(groups) do
  if fields(entry)['name'] == group then
    if not generation then
      -- The group may be the mirror of an earlier consumer group: it is none any more.
      redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], group, MARK)
      redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], group, COUNTS_LAG)
      local position, is_open = low_water(KEYS[1], group)
      store(position or '0-0', is_open or '')
    end
    return {'OK', generation, '0'}
  end
end
local position, reset = position_to_create()
if not position then
  return error_reply(reset, KEYS[1])
end
local created = redis.pcall('XGROUP', 'CREATE', KEYS[1], group, position)
if err_of(created) then
  return error_reply(created.err, KEYS[1])
end
store(position, '')
return {'OK', generation, reset}
