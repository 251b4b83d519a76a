-- Members of a share group that left or whose session ended, for heartbeat and leave. The field
-- departed of the group has their names, separated by newlines, the latest last. Other members take
-- over what is pending at these names. A name that is only missing among the members proves nothing:
-- the members may have been lost.

-- most_departed is how many names are kept.
local most_departed = 64

-- departed_names returns the names in the list.
local function departed_names(list)
  local names = {}
  for name in string.gmatch(list, '[^\n]+') do
    names[#names + 1] = name
  end
  return names
end

-- add_departed returns the list with one more name.
local function add_departed(list, name)
  local names = departed_names(list)
  names[#names + 1] = name
  return table.concat(names, '\n', math.max(1, #names - most_departed + 1))
end
