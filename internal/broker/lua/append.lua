-- append: writes entries to one partition, at most once per producer, epoch and sequence number,
-- and at most once per message ID. Lua has no rollback, so everything that can fail is tried before
-- the first entry is written.
--
-- KEYS     1. the partition's stream
--          2. if the append is idempotent: the producer's state, "epoch:seq" of its last append
--          3. if the topic was plain when the records were routed: the topic's metadata
--          4. if the entries have message IDs: the partition's IDs
-- ARGV     1 epoch, or empty: not idempotent
--          2 seq
--          3 ttl of the state in ms
--          4 number of entries to keep, or 0: all
--          5 age in ms of the oldest entry to keep, or 0: all
--          6 number of entries
--          7 ms for which a message ID is known, or 0: the entries have no message IDs
--          then, for each run of entries with the same number of values: number of entries,
--          number of values of each entry, and for each entry its message ID (empty: none), if the
--          entries have message IDs, and its values
-- Replies  OK error_of_the_trim (empty: none) state_before (empty: none)
--             number of entries that were not written because their message IDs are known
--          DUP             the entries were written before
--          STALE state     a higher epoch is known
--          GAP state       the sequence number before seq is not known
--          PARTITIONED     the topic has metadata now
--          PARTIAL n error only the first n entries were written, or are known
--          an error of the class of the command that failed, naming the key: nothing was written
--
-- Only OK and PARTIAL write entries. After an error the state still says that seq was not written.

local stream, epoch, seq, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local idempotent = epoch ~= ''
local state = idempotent and KEYS[2]
local found = ''
local window = tonumber(ARGV[7])
local ids = window > 0 and KEYS[#KEYS]
local metadata = KEYS[idempotent and 3 or 2]
if metadata == ids then
  metadata = nil
end
local oldest = ARGV[5] ~= '0' and text(math.max(now_ms() - tonumber(ARGV[5]), 0)) -- TIME can fail, so it comes first

if metadata then
  local exists = redis.pcall('EXISTS', metadata)
  if err_of(exists) then
    return error_reply(exists.err, metadata)
  end
  if exists == 1 then
    return {'PARTITIONED'}
  end
end

if idempotent then
  local stored = redis.pcall('GET', state)
  if err_of(stored) then
    return error_reply(stored.err, state)
  end
  local last_epoch, last_seq
  if stored then
    last_epoch, last_seq = string.match(stored, '^(%d+):(%d+)$') -- other values are ignored
  end
  local before = epoch .. ':' .. text(tonumber(seq) - 1)
  if last_epoch then
    local e, s = tonumber(last_epoch), tonumber(last_seq)
    if e > tonumber(epoch) then
      return {'STALE', stored}
    end
    if e == tonumber(epoch) then
      if tonumber(seq) <= s then
        return {'DUP'}
      end
      if tonumber(seq) > s + 1 then
        return {'GAP', stored}
      end
    end
    before, found = stored, stored
  end
  -- Proves the permission, and the memory too: Redis looks at maxmemory at the first write of a
  -- script only. What is stored says no more than what was true before, or that seq is yet to come.
  local proof = redis.pcall('SET', state, before, 'PX', ttl)
  if err_of(proof) then
    return error_reply(proof.err, state)
  end
end

local now, expired
if ids then
  now, expired = ids_begin(ids, stream, window)
  if not now then
    return expired
  end
end
local since = ids and now - window

-- The server spends most of its time here. Runs and locals make that a tenth less.
local at, n, count, known = 8, 0, tonumber(ARGV[6]), 0
local redis, unpack, argv = redis, unpack, ARGV
while n < count do
  local run_ends, width = n + tonumber(argv[at]), tonumber(argv[at + 1])
  at = at + 2
  while n < run_ends do
    local id = ''
    if ids then
      id, at = argv[at], at + 1
    end
    if id ~= '' and ids_known(ids, id, since) then
      known = known + 1
    else
      local added = redis.pcall('XADD', stream, '*', unpack(argv, at, at + width - 1))
      if err_of(added) then
        if n == 0 then
          return error_reply(added.err, stream)
        end
        return {'PARTIAL', text(n), added.err}
      end
      if id ~= '' then
        ids_add(ids, id, now)
      end
    end
    at, n = at + width, n + 1
  end
end

local ids_error
if ids then
  ids_error = ids_trim(ids, expired, 2 * count + 16, now - now_ms() + window)
end

if idempotent then
  local kept = redis.pcall('SET', state, epoch .. ':' .. seq, 'PX', ttl)
  if err_of(kept) then
    return {'PARTIAL', ARGV[6], kept.err}
  end
end

-- Redis removes whole nodes of a stream only when it trims approximately, and a stream has but one
-- where both stream-node-max-bytes and stream-node-max-entries are 0: what is too long or too old
-- by a tenth (or by 100 entries) is trimmed exactly, which costs nothing where nodes are of the
-- usual size.
local trim_error = ''
local most = tonumber(ARGV[4])
if most > 0 then
  trim_error = err_of(redis.pcall('XTRIM', stream, 'MAXLEN', '~', ARGV[4])) or trim_error
  local length = redis.pcall('XLEN', stream)
  local spare = most < 100 and 1 or math.max(100, most / 10)
  if trim_error == '' and type(length) == 'number' and length >= most + spare then
    trim_error = err_of(redis.pcall('XTRIM', stream, 'MAXLEN', '=', ARGV[4])) or trim_error
  end
end
if oldest then
  trim_error = err_of(redis.pcall('XTRIM', stream, 'MINID', '~', oldest)) or trim_error
  if trim_error == '' then
    local too_old = text(math.max(tonumber(oldest) - math.floor(tonumber(ARGV[5]) / 10), 0))
    trim_error = err_of(redis.pcall('XTRIM', stream, 'MINID', '=', too_old)) or trim_error
  end
end
return {'OK', trim_error == '' and ids_error or trim_error, found, text(known)}
