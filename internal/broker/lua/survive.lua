-- survive: takes back the death that a claim has counted, or would count, of the owner of a lease: the
-- owner is alive, and has given up what it had in flight. The lease may have another owner meanwhile.
--
-- KEYS[1]  the lease
-- ARGV     1 epoch of that owner
-- Replies  OK
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'epoch', 'suspect', 'deaths')
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
local id, flight = string.match(h[2] or '', '^(%d+%-%d+) (%a+) %d+$')
if h[1] == ARGV[1] then -- with the highest turn: commits that arrive late don't replace it
  redis.call('HSET', KEYS[1], 'suspect', (flight ~= 'batch' and id or '0-0') .. ' waiting 9007199254740991')
end
local kept = {}
for death in string.gmatch(h[3] or '', '%S+') do
  if string.match(death, '@(%d+)$') ~= ARGV[1] then
    kept[#kept + 1] = death
  end
end
local deaths = table.concat(kept, ' ')
if deaths ~= (h[3] or '') then
  redis.call('HSET', KEYS[1], 'deaths', deaths)
end
return {'OK'}
