-- delete_partition: removes the stream of a partition and its other keys. For a lease that is
-- alive, it leaves a mark that expires: by the mark, the owner sees that an operator deleted the
-- topic, and that no entries were lost.
--
-- KEYS[1]  the partition's stream
-- KEYS     then the leases, then the other keys of the partition
-- ARGV     1 number of leases
--          2 ms after which a mark expires
-- Replies  OK
--          an error of the class of the command that failed, naming the key

local now = now_ms()
local marks = {}
for i = 2, tonumber(ARGV[1]) + 1 do
  local h = redis.pcall('HMGET', KEYS[i], 'owner', 'epoch', 'expires_ms', 'moved')
  if not err_of(h) then -- a key of another type is deleted like the others
    local alive = (tonumber(h[3]) or 0) > now
    marks[i] = ended_epoch(alive and h[1] or '', h[2], h[4])
  end
end
for i, key in ipairs(KEYS) do
  local removed = redis.pcall('UNLINK', key)
  if err_of(removed) then
    return error_reply(removed.err, key)
  end
  if marks[i] then
    redis.call('HSET', key, 'moved', 'delete ' .. marks[i] .. ' 0')
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return {'OK'}
