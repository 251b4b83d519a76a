
-- abilities: tells which commands this server does not know, or does not know in scripts. None of them is executed and none needs to be
-- permitted: a command without arguments is refused for the want of them before anybody asks who sent it, and an unknown one before that.
--
-- ARGV     names of commands
-- Replies  OK names (of those that are unknown)

local unknown = {}
for _, name in ipairs(ARGV) do
  local err = err_of(redis.pcall(name))
  if err and string.find(string.lower(err), 'unknown', 1, true) then
    unknown[#unknown + 1] = name
  end
end
return {'OK', unknown}
