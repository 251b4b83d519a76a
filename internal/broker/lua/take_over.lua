-- take_over makes pending entries pending at another consumer, and returns their IDs and those of
-- entries that are not in the stream. JUSTID keeps the number of deliveries as it is. XCLAIM of
-- current servers leaves out entries that are not in the stream, and removes them from the pending
-- ones.
local function take_over(stream, group, to, ids)
  if #ids == 0 then
    return {}, {}
  end
  local arguments = {stream, group, to, '0', unpack(ids)}
  arguments[#arguments + 1] = 'JUSTID'
  local taken, claimed, lost = redis.call('XCLAIM', unpack(arguments)), {}, {}
  for _, id in ipairs(taken) do
    claimed[id] = true
  end
  for _, id in ipairs(ids) do
    if not claimed[id] then
      lost[#lost + 1] = id
    end
  end
  return taken, lost
end
