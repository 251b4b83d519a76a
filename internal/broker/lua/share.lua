-- Share groups, for the scripts that open splits and acknowledge entries. The hash rafka:{P}:share:G
-- has generation, a number that changes whenever deliveries start again from another place, low, an
-- ID up to which everything was acknowledged, open (1: except the entry low itself), and low_ms, the
-- time when low was stored. It has the fields of suspects.lua, too.

-- low_water returns low and open of a group, or nil if the stream does not have the group.
local function low_water(stream, group)
  local pending = redis.pcall('XPENDING', stream, group)
  if err_of(pending) then
    return nil
  end
  if pending[1] > 0 then
    return pending[2], '1'
  end
  local info = mirror_info(stream, group)
  if info and is_id(info['last-delivered-id']) then
    return info['last-delivered-id'], ''
  end
end
