-- adopt_settle: acknowledges entries in the Redis consumer group that a lease adopts. If nothing is
-- pending there any more, the adoption ends in the same step: the group loses its consumers and
-- becomes rafka's mirror, or is removed if it has another name and the operator wanted that.
--
-- KEYS[1]  the partition's stream
-- KEYS[2]  the lease
-- ARGV     1 owner
--          2 epoch
--          3 ms after which an unused lease expires, or 0: never
--          4 group
--          5 offset: entries after it, up to the committed offset, are acknowledged too
--          then the offsets to acknowledge
-- Replies  OK pending (the number of entries; 0: the adoption has ended)
--          FENCED owner epoch (the stored ones) moved (seek, delete, or empty: not by an operator)
--          an error of the class of the command that failed, naming the key

local group = ARGV[4]

local h = redis.pcall('HMGET', KEYS[2], 'owner', 'epoch', 'moved', 'adopting', 'offset', 'read', 'accounted', 'adopting_removes')
if err_of(h) then
  return error_reply(h.err, KEYS[2])
end
if h[1] ~= ARGV[1] or h[2] ~= ARGV[2] then
  return {'FENCED', h[1] or '', h[2] or '', moved_by(h[3], ARGV[2])}
end
local from, offset = h[4], h[5]
if not from then
  return {'OK', '0'}
end

-- no_group reports whether the group is gone: then nothing is pending.
local function no_group(err)
  return string.find(err, 'NOGROUP', 1, true) ~= nil
end

-- acknowledge acknowledges entries and returns the error, or nil.
local function acknowledge(ids)
  if #ids == 0 then
    return nil
  end
  local err = err_of(redis.pcall('XACK', KEYS[1], from, unpack(ids)))
  return err and not no_group(err) and err or nil
end

-- committed returns entries that are pending although their offsets are committed: a client that was
-- not stopped has read them.
local function committed()
  local ids, pending = {}, redis.pcall('XPENDING', KEYS[1], from, '(' .. ARGV[5], offset, '1000')
  if not err_of(pending) then
    for _, item in ipairs(pending) do
      ids[#ids + 1] = item[1]
    end
  end
  return ids
end

-- finish ends the adoption. The adopted group is changed by pcall: if the user may not, it stays as
-- it is, and rafka has no mirror.
local function finish()
  redis.call('HDEL', KEYS[2], 'adopting', 'adopting_removes')
  keep(KEYS[2], ARGV[3])
  if from == group then
    local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], group)
    for _, consumer in ipairs(err_of(consumers) and {} or consumers) do
      redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], group, fields(consumer)['name'])
    end
    redis.pcall('XGROUP', 'CREATECONSUMER', KEYS[1], group, MARK)
  elseif h[8] then
    redis.pcall('XGROUP', 'DESTROY', KEYS[1], from)
  end
  redis.call('HSET', KEYS[2], 'mirror', mirror_move(KEYS[1], group, offset, h[6] or '-1', h[7] or '-1'))
end

local err = acknowledge({unpack(ARGV, 6)}) or acknowledge(committed())
if err then
  return error_reply(err, KEYS[1])
end
local pending = redis.pcall('XPENDING', KEYS[1], from)
err = err_of(pending)
if err and not no_group(err) then
  return error_reply(err, KEYS[1])
elseif not err and pending[1] > 0 then
  return {'OK', text(pending[1])}
end
finish()
return {'OK', '0'}
