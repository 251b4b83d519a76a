
-- capabilities: returns the commands that this server does not know, or not inside scripts. It
-- executes no command and needs no permission: a command without arguments fails because of their
-- number before the server checks permissions, and an unknown command fails even earlier.
--
-- ARGV     1 names of commands, separated by spaces: the server rejects requests with many
--            arguments from a client that has not logged in
-- Replies  OK names (of the unknown commands)

local unknown = {}
for name in string.gmatch(ARGV[1], '%S+') do
  local err = err_of(redis.pcall(name))
  if err and string.find(string.lower(err), 'unknown', 1, true) then
    unknown[#unknown + 1] = name
  end
end
return {'OK', unknown}
