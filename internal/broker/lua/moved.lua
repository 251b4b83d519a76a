-- What an operator did to a lease, for the scripts that do it and for the scripts that are fenced
-- by it. The field moved of the lease has three words: what was done (seek, skip or delete), the
-- epoch that it ended, and the epoch that the lease got (0: the lease was deleted). The field can
-- stay, because epochs do not repeat: it concerns only the member under the first epoch.

-- moved_by returns what ended the epoch, or an empty text if no operator did.
local function moved_by(moved, epoch)
  local what, ended = string.match(moved or '', '^(%a+) (%d+)')
  return ended == epoch and what or ''
end

-- ended_epoch returns the epoch that ends when an operator moves the lease: the owner's epoch. If
-- an earlier move ended an epoch and no member has claimed the lease since, it returns that epoch
-- and what ended it. It returns nil if no epoch ends.
local function ended_epoch(owner, epoch, moved)
  if owner and owner ~= '' then
    return epoch
  end
  local what, ended, since = string.match(moved or '', '^(%a+) (%d+) (%d+)$')
  if since == (epoch or '0') then
    return ended, what
  end
end
