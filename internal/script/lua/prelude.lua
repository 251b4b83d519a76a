-- What all scripts share. It is put in front of each script.
--
-- Numbers are times, epochs, versions and counts, all below 2^53, so Lua's doubles hold them
-- exactly. They are written with %.0f, because tostring would write 1.7e+12. Offsets are never
-- numbers.

local function text(number)
  return string.format('%.0f', number)
end

-- now_us returns the time of this server, the only clock that scripts use.
local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

local function now_ms()
  return math.floor(now_us() / 1000)
end

-- next_number returns the next version of a group or epoch of a lease: the time in microseconds. If
-- the clock is behind by a millisecond or more, the number advances by a pseudo-random step, so
-- that a number that was lost in a rollback is not issued again. If a version came again, a plan
-- for members that were rolled back would count as a plan for the current members. If an epoch came
-- again, a late commit would count as a commit under the new lease.
local function next_number(number)
  local now, before = now_us(), tonumber(number) or 0
  return text(before - now < 1000 and math.max(now, before + 1) or before + 1 + now % 1000000)
end

-- err_of returns the error of a pcall's reply, or nil.
local function err_of(reply)
  return type(reply) == 'table' and reply.err or nil
end

-- error_reply returns a reply with the error of a pcall and the key that it is about.
local function error_reply(err, key)
  return {err = err .. ' (key ' .. key .. ')'}
end

-- keep sets the time after which an unused key expires, or removes its expiry if that time is 0,
-- because a server can evict keys that have an expiry. A server that is out of memory permits
-- PEXPIRE and PERSIST, and after the first write of a script it permits all other writes: members
-- can finish their work.
local function keep(key, unused_ms)
  if unused_ms == '0' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, unused_ms)
  end
end

-- fields returns a table of a flat list of names and values.
local function fields(list)
  local t = {}
  for i = 1, #list, 2 do
    t[list[i]] = list[i + 1]
  end
  return t
end

-- below reports whether ID a is before ID b. The halves of an ID are 64-bit numbers, too large for
-- a double. Of two numbers without leading zeros the longer one is larger; equally long numbers
-- compare as text.
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

-- decrement returns the decimal number before a number above 0, which can have 64 bits.
local function decrement(digits)
  local head, digit, zeros = string.match(digits, '^(%d-)([1-9])(0*)$')
  local less = head .. string.format('%d', digit - 1) .. string.rep('9', #zeros)
  return string.match(less, '^0(%d+)$') or less
end

-- id_before returns the highest ID before an ID; before 0-0 it is 0-0.
local function id_before(id)
  local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
  if seq ~= '0' then
    return ms .. '-' .. decrement(seq)
  end
  return ms == '0' and id or decrement(ms) .. '-18446744073709551615'
end
