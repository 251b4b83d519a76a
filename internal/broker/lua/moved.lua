-- What an operator did to a lease, shared by the scripts that do it and by those that meet a fence.
-- The field moved of the lease holds what was done (seek or delete), the epoch that it ended, and
-- the epoch that the lease had then (0 if it was deleted). It may stay, since no epoch comes again:
-- it concerns nobody but the member under the first epoch.

-- moved_by returns what ended the epoch, or an empty text if that was no operator.
local function moved_by(moved, epoch)
  local what, ended = string.match(moved or '', '^(%a+) (%d+)')
  return ended == epoch and what or ''
end

-- ended_epoch returns the epoch that ends when an operator moves the lease: that of its owner, or
-- one that another move has ended and after which nobody has claimed yet, and then by what. It
-- returns nil if there is none.
local function ended_epoch(owner, epoch, moved)
  if owner and owner ~= '' then
    return epoch
  end
  local what, ended, since = string.match(moved or '', '^(%a+) (%d+) (%d+)$')
  if since == (epoch or '0') then
    return ended, what
  end
end
