-- convert_to_consumer: makes a partition of a share group one of a consumer group that continues
-- after the last delivered entry. Nothing may be pending. The Redis consumer group becomes the
-- mirror. What is still stored of failing entries concerns entries that the offset has passed: the
-- next owner of the partition removes it.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- KEYS[3]  the share group: hash of generation, low, open, low_ms
-- ARGV     1 group
--          2 ms after which an unused lease expires, or 0: never
--          3 1: change nothing and only reply
-- Replies  OK offset (empty: nothing is stored of the partition)
--          PENDING number (nothing was changed)
--          an error of the class of the command that failed, naming the key

local stream, group = KEYS[1], ARGV[1]
local h = redis.pcall('HMGET', KEYS[2], 'epoch', 'offset')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
local s = redis.pcall('HMGET', KEYS[3], 'generation', 'low', 'open')
if err_of(s) then
  return error_reply(s.err, KEYS[3])
end
if h[2] and not s[1] then
  return {'OK', h[2]} -- an earlier call has converted it
end
local pending = redis.pcall('XPENDING', stream, group)
local err = err_of(pending)
if err and not string.find(err, 'NOGROUP', 1, true) then
  return error_reply(err, stream)
elseif not err and pending[1] > 0 then
  return {'PENDING', text(pending[1])}
end

local info = not err and mirror_info(stream, group)
local offset, read = s[2], '-1'
if info then
  offset, read = info['last-delivered-id'], text(info['entries-read'] or -1)
elseif offset and is_id(offset) and s[3] == '1' then
  offset = id_before(offset) -- the entry with this ID was not acknowledged
end
if not offset or not is_id(offset) then
  return {'OK', ''}
elseif ARGV[3] == '1' then
  return {'OK', offset}
end

redis.call('HSET', KEYS[2], 'owner', '', 'epoch', next_number(h[1]), 'expires_ms', '0', 'attempts', '0',
  'offset', offset, 'read', read, 'accounted', read, 'done', '', 'suspect', '', 'deaths', '')
keep(KEYS[2], ARGV[2])
redis.call('UNLINK', KEYS[3])
if info then
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    redis.pcall('XGROUP', 'DELCONSUMER', stream, group, fields(consumer)['name'])
  end
  if err_of(redis.pcall('XGROUP', 'CREATECONSUMER', stream, group, MARK)) then
    redis.pcall('XGROUP', 'DESTROY', stream, group) -- without the mark it would look foreign
  end
end
return {'OK', offset}
