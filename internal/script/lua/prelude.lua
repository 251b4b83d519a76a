-- What all scripts share; it is put in front of each of them.
--
-- Numbers are times, epochs, versions and counts: all below 2^53, so Lua's doubles hold them
-- exactly. They are written with %.0f, since tostring would write 1.7e+12. Offsets are never
-- numbers.

local function text(number)
  return string.format('%.0f', number)
end

-- now_us is the time of this server: the only clock that a script knows.
local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

-- next_number is what the version of a group or the epoch of a lease becomes when it changes: the
-- time in microseconds, or, while the clock is behind by a millisecond or more, a step ahead that
-- is as good as random. So after a rollback none comes a second time: a plan made for members that
-- were rolled back would pass for one of those that are there, and a commit that is still on its
-- way for one under the new lease.
local function next_number(number)
  local now, before = now_us(), tonumber(number) or 0
  return text(before - now < 1000 and math.max(now, before + 1) or before + 1 + now % 1000000)
end

-- err_of returns the error of a pcall's reply, or nil.
local function err_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

-- refusal is the reply that hands the error of a pcall to the client and names the key that it came
-- from.
local function error_reply(err, key)
  return {err = err .. ' (key ' .. key .. ')'}
end

-- keep has a key forgotten after so many ms in which nobody uses it, or never if that is 0: a
-- server may evict keys that have an expiry. PEXPIRE and PERSIST are both allowed on a server that
-- is out of memory, and so is what a script writes after its first write: whoever has work in hand
-- can finish it.
local function keep(key, unused_ms)
  if unused_ms == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, unused_ms)
  end
end

-- fields makes a table of a flat list of names and values.
local function fields(list)
  local t = {}
  for i = 1, #list, 2 do
    t[list[i]] = list[i + 1]
  end
  return t
end

-- below tells whether ID a lies before ID b. The halves are 64-bit numbers, too large for a double:
-- of two without leading zeros the longer is the larger, and equally long ones compare as text.
local function below(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)%-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)%-(%d+)$')
  if a_ms ~= b_ms then
    return #a_ms < #b_ms or (#a_ms == #b_ms and a_ms < b_ms)
  end
  return #a_seq < #b_seq or (#a_seq == #b_seq and a_seq < b_seq)
end

local function is_id(value)
  return type(value) == 'string' and string.match(value, '^%d+%-%d+$') ~= nil
end

