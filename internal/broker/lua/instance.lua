-- Static members, for heartbeat, claim, enroll and leave. Each run of a static member is an
-- incarnation with the name member/number-text, which is the owner of leases. The higher number is
-- the later incarnation; if the numbers are equal, the higher text.

-- incarnation returns the parts of such a name, or nothing for another name.
local function incarnation(owner)
  local member, number, unique = string.match(owner, '^(.*)/(%d+)%-(%w+)$')
  return member, tonumber(number), unique
end

-- supersedes reports whether an owner is a later incarnation of the same member than another owner.
local function supersedes(owner, other)
  local member, number, unique = incarnation(owner)
  local other_member, other_number, other_unique = incarnation(other)
  if not member or member ~= other_member then
    return false
  end
  return number > other_number or (number == other_number and unique > other_unique)
end

-- owner_field returns the field of the group with the incarnation of a live static member.
local function owner_field(member)
  return 'owner:' .. member
end

