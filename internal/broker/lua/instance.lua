-- Static members, shared by heartbeat, claim and enroll. Each life of one is an incarnation, the
-- owner of leases, which is named member/number-text: the higher number is the later one, of equal
-- numbers the higher text.

-- incarnation takes such a name apart; it returns nothing if it is none.
local function incarnation(owner)
  local member, number, unique = string.match(owner, '^(.*)/(%d+)%-(%w+)$')
  return member, tonumber(number), unique
end

-- supersedes tells whether an owner is a later incarnation of the member that another owner is one
-- of.
local function supersedes(owner, other)
  local member, number, unique = incarnation(owner)
  local other_member, other_number, other_unique = incarnation(other)
  if not member or member ~= other_member then
    return false
  end
  return number > other_number or (number == other_number and unique > other_unique)
end

-- owner_field is where the group has the incarnation of a static member that is alive.
local function owner_field(member)
  return 'owner:' .. member
end

