-- Deleting what a share group has acknowledged, for share_ack. An entry that another group may read
-- stays. The caller knows the groups of rafka by the key that lists them, in the slot of the topic.
-- The other groups are the native ones of the stream.

-- of_rafka reports whether a native group is the mirror of a consumer group of rafka, or a share group
-- with members.
local function of_rafka(stream, group)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
  for _, entry in ipairs(err_of(consumers) and {} or consumers) do
    if string.sub(fields(entry)['name'], 1, 6) == 'rafka:' then
      return true
    end
  end
  return false
end

-- delete_acknowledged deletes entries that were acknowledged in a group. read_ms is when the caller
-- has read the groups of the topic, valid_ms for how long it may rely on that. It returns why nothing
-- was deleted, and a detail: 'old' (the groups were read too long ago, or the clocks of two servers
-- differ), 'gone' (the stream does not have the group: it may be another stream), 'rafka' or 'group'
-- and the name of another native group, 'error' and its text; or '' and ''.
local function delete_acknowledged(stream, group, read_ms, valid_ms, ids)
  if math.abs(now_ms() - tonumber(read_ms)) > tonumber(valid_ms) then
    return 'old', ''
  end
  local groups, found = redis.pcall('XINFO', 'GROUPS', stream), false
  if err_of(groups) then
    return 'error', groups.err
  end
  for _, entry in ipairs(groups) do
    local name = fields(entry)['name']
    if name ~= group then
      return of_rafka(stream, name) and 'rafka' or 'group', name
    end
    found = true
  end
  if not found then
    return 'gone', ''
  end
  local deleted = redis.pcall('XDEL', stream, unpack(ids))
  if err_of(deleted) then
    return 'error', deleted.err
  end
  return '', ''
end
