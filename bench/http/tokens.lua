-- wrk: each request carries the next access token of the file named by TOKENS, one a line.
local requests = {}
local turn = 0

function init(args)
  for token in io.lines(os.getenv("TOKENS")) do
    requests[#requests + 1] = wrk.format("GET", "/auth/verify", { Authorization = "Bearer " .. token })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
