-- What is stored of the entries of a partition that fail, for note, failing, share_note and
-- share_failing: a hash of entry ID -> "attempts first_ms lettered(0 or 1) error". In share groups
-- it also has the field generation, and belongs to that generation of the group.

-- store_attempts stores the records that are in ARGV from an index on: 5 arguments each, ID,
-- attempts, ms since the first failure, lettered, error. A record is stored if wanted returns true
-- for its ID, and if there is room for it: the hash has at most most fields. If it has as many,
-- make_room is called first. A record that is lettered stays so: the note before it can arrive
-- late.
local function store_attempts(key, first, most, wanted, make_room)
  if redis.call('HLEN', key) >= most then
    make_room()
  end
  local now, size = now_ms(), redis.call('HLEN', key)
  for i = first, #ARGV, 5 do
    local before = redis.call('HGET', key, ARGV[i])
    if wanted(ARGV[i]) and (size < most or before) then
      local lettered = before and string.find(before, '^%d+ %d+ 1 ') and '1' or ARGV[i + 3]
      local record = {ARGV[i + 1], text(now - tonumber(ARGV[i + 2])), lettered, ARGV[i + 4]}
      size = size + redis.call('HSET', key, ARGV[i], table.concat(record, ' '))
    end
  end
end

-- add_attempts adds a stored record to a reply, unless it is damaged.
local function add_attempts(reply, id, record, now)
  local attempts, since, lettered, cause = string.match(record, '^(%d+) (%d+) ([01]) (.*)$')
  if attempts and is_id(id) then
    for _, word in ipairs({id, attempts, text(math.max(0, now - tonumber(since))), lettered, cause}) do
      reply[#reply + 1] = word
    end
  end
end
