-- wrk: each request carries the next line of the file named by TOKENS: a token, a space, a proof
-- for this one request, or nothing behind the space for a plain bearer.
local requests = {}
local turn = 0

function init(args)
  for line in io.lines(os.getenv("TOKENS")) do
    local token, proof = line:match("^(%S+) (%S*)$")
    local headers = { Authorization = "Bearer " .. token }
    if proof ~= "" then headers = { Authorization = "DPoP " .. token, DPoP = proof } end
    requests[#requests + 1] = wrk.format("GET", "/auth/verify", headers)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
