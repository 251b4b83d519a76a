-- ids: remembers which messages were written to a partition, so that a message with a known ID is
-- not written again. The IDs are in a sorted set, by the time at which they were written. That time
-- is not before the time of any earlier ID: if the clock went back, an ID could be forgotten before
-- the window has passed.

-- ids_begin returns the time and the number of IDs that are older than the window, or nil and the
-- error to reply. It tries everything that can be refused. If the stream is gone, it forgets all
-- IDs: they are of another stream.
local function ids_begin(ids, stream, window)
  local exists = redis.pcall('EXISTS', stream)
  if err_of(exists) then
    return nil, error_reply(exists.err, stream)
  end
  local last = redis.pcall('ZRANGE', ids, '-1', '-1', 'WITHSCORES')
  if err_of(last) then
    return nil, error_reply(last.err, ids)
  end
  local now = math.max(now_ms(), tonumber(last[2]) or 0)
  local expired = redis.pcall('ZCOUNT', ids, '-inf', '(' .. text(now - window))
  if err_of(expired) then
    return nil, error_reply(expired.err, ids)
  end
  local score = redis.pcall('ZSCORE', ids, '')
  if err_of(score) then
    return nil, error_reply(score.err, ids)
  end
  -- No ID is empty, so XX adds nothing. The command is refused like any ZADD, and it must come
  -- before writes that a server without memory permits: Redis looks at maxmemory at the first write
  -- only.
  local proof = redis.pcall('ZADD', ids, 'XX', '0', '')
  if err_of(proof) then
    return nil, error_reply(proof.err, ids)
  end
  if exists == 1 then
    return now, expired
  end
  local forgotten = redis.pcall('UNLINK', ids)
  if err_of(forgotten) then
    return nil, error_reply(forgotten.err, ids)
  end
  return now, 0
end

-- ids_known reports whether the ID was added at the time since or later.
local function ids_known(ids, id, since)
  local score = redis.call('ZSCORE', ids, id)
  return score and tonumber(score) >= since
end

-- ids_add remembers an ID. ids_begin has proven that nothing refuses this.
local function ids_add(ids, id, now)
  redis.call('ZADD', ids, text(now), id)
end

-- ids_trim removes some of the IDs that are older than the window, and returns an error or nil.
-- Removing a million IDs in one step would block the server for a third of a second, and so would
-- their expiry: a large set stays until later appends have made it smaller.
local function ids_trim(ids, expired, step, unused_ms)
  local failed
  if expired > 0 then
    failed = err_of(redis.pcall('ZREMRANGEBYRANK', ids, '0', text(math.min(expired, step) - 1)))
  end
  local size = redis.pcall('ZCARD', ids)
  if err_of(size) then
    return failed or size.err
  end
  if size <= 10000 then
    return failed or err_of(redis.pcall('PEXPIRE', ids, text(unused_ms)))
  end
  return failed or err_of(redis.pcall('PERSIST', ids))
end
