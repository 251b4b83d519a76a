-- share_state: returns where a share group stands in a partition, and what is pending in it.
--
-- KEYS[1]  the partition's stream
-- ARGV     1 group
--          2 the number of pending entries, the lowest ones, of which the deliveries are returned
-- Replies  OK last_delivered_id lag (-1: unknown) pending lowest_id (of the pending entries; empty:
--             none) deliveries (the highest number) names (of all consumers) pending (of each)
--          OK (the stream or the group does not exist)
--          an error of the class of the command that failed, naming the key

local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
local err = err_of(consumers)
if err and (string.find(err, 'NOGROUP', 1, true) or string.find(err, 'no such key', 1, true)) then
  return {'OK', ''}
elseif err then
  return error_reply(err, KEYS[1])
end
local names, held = {}, {}
for i, entry in ipairs(consumers) do
  local consumer = fields(entry)
  names[i], held[i] = consumer['name'], text(consumer['pending'])
end
local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
local deliveries = 0
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[2])) do
  deliveries = math.max(deliveries, entry[4])
end
for _, entry in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = fields(entry)
  if info['name'] == ARGV[1] then
    return {'OK', info['last-delivered-id'], text(lag_of(KEYS[1], info) or -1), text(pending[1]), pending[2] or '',
      text(deliveries), names, held}
  end
end
return {'OK', ''}
