-- propose: stores the plan that was made for a version of the group, if the group still has that
-- version and no other plan for it. A second plan of one version would stay unknown to members that
-- have the first one: a split that each of the two plans leaves to the other would not be read.
--
-- KEYS[1]  the group
-- ARGV     1 version
--          2 plan
--          3 channel of the group's hints
-- Replies  OK (stored, now or before)
--          STALE (not stored: the next heartbeat returns the current version or plan)
--          an error of the class of the command that failed, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'version', 'planned_version', 'plan')
if err_of(h) then
  return error_reply(h.err, KEYS[1])
end
if h[1] ~= ARGV[1] then
  return {'STALE'}
end
if h[2] == h[1] then
  return {h[3] == ARGV[2] and 'OK' or 'STALE'}
end
redis.call('HSET', KEYS[1], 'planned_version', h[1], 'plan', ARGV[2])
redis.pcall('PUBLISH', ARGV[3], 'planned')
return {'OK'}
