
-- abilities: tells which commands this server does not know, or does not know in scripts. None of them is executed and none needs to be
-- permitted: a command without arguments is refused for the want of them before anybody asks who sent it, and an unknown one before that.
--
-- ARGV     1 names of commands, parted by spaces: a request of many words is refused as such until its sender has said who he is
-- Replies  OK names (of those that are unknown)

local unknown = {}
for name in string.gmatch(ARGV[1], '%S+') do
  local err = err_of(redis.pcall(name))
  if err and string.find(string.lower(err), 'unknown', 1, true) then
    unknown[#unknown + 1] = name
  end
end
return {'OK', unknown}
