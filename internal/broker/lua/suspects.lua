-- Entries of a share group that may kill the process of their member, see splits.ShareSuspects. This
-- is stored in the hash of the share group (see share.lua):
--   ID         "takeovers", then a line for each consumer that died while the entry was in flight
--              alone
--   =consumer  "turn flight ID ID ...", what the consumer has in flight; flight is waiting (nothing),
--              batch, alone, or any
--   suspects   1 if there may be such fields

-- most_deaths is how many consumers are kept of an entry, the latest ones.
local most_deaths = 16

-- deaths_of returns the number of takeovers and the consumers in a record.
local function deaths_of(record)
  local takeovers, lines = string.match(record or '', '^(%d+)(.*)$')
  local consumers = {}
  for name in string.gmatch(lines or '', '[^\n]+') do
    consumers[#consumers + 1] = name
  end
  return tonumber(takeovers) or 0, consumers
end

-- record_of returns a record, without one of the consumers if that is given.
local function record_of(takeovers, consumers, without)
  local lines = {text(takeovers)}
  for i = math.max(1, #consumers - most_deaths + 1), #consumers do
    if consumers[i] ~= without then
      lines[#lines + 1] = consumers[i]
    end
  end
  return table.concat(lines, '\n')
end

-- count_takeovers counts what the death of a consumer says of entries that were taken over from it.
local function count_takeovers(key, from, ids)
  local flight, list = string.match(redis.call('HGET', key, '=' .. from) or '', '^%d+ (%a+)(.*)$')
  if #ids == 0 or flight == 'waiting' then
    return
  end
  local in_flight = {}
  for id in string.gmatch(list or '', '%S+') do
    in_flight[id] = true
  end
  local changes = {'suspects', '1'}
  for i, record in ipairs(redis.call('HMGET', key, unpack(ids))) do
    if in_flight[ids[i]] or (flight ~= 'batch' and flight ~= 'alone') then
      local takeovers, consumers = deaths_of(record)
      if flight == 'alone' then
        consumers[#consumers + 1] = from
      end
      changes[#changes + 1], changes[#changes + 2] = ids[i], record_of(takeovers + 1, consumers)
    end
  end
  if #changes > 2 then
    redis.call('HSET', key, unpack(changes))
  end
end

-- forget_suspects removes what is counted of entries up to the low-water mark of the group: they are
-- not pending any more, whichever client has acknowledged them.
local function forget_suspects(key, low, open)
  local left = false
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if is_id(field) and (below(field, low) or (field == low and open ~= '1')) then
      redis.call('HDEL', key, field)
    else
      left = left or is_id(field) or string.sub(field, 1, 1) == '='
    end
  end
  if not left then
    redis.call('HDEL', key, 'suspects')
  end
end
