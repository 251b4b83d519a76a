-- propose: stores the plan that was made for a version of the group, if that still is its version and has no other plan yet. A second
-- plan of one version would go unseen by those who know the first: a split that each of the two leaves to the other would
-- be nobody's.
--
-- KEYS[1]  the group
-- ARGV     1 version  2 plan  3 channel of the group's hints
-- Replies  OK (stored, now or before)
--          STALE (not stored: beat to see the version or the plan that there is)
--          an error of the class of the command that met it, naming the key

local h = redis.pcall('HMGET', KEYS[1], 'version', 'planned_version', 'plan')
if err_of(h) then
  return refusal(h.err, KEYS[1])
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
