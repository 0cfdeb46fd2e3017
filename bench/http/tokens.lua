-- wrk: each request carries the next line of the file named by TOKENS: an access token, and for a
-- token that is bound to a key a space and the proof for this one request.
local requests = {}
local turn = 0

function init(args)
  for line in io.lines(os.getenv("TOKENS")) do
    local token, proof = line:match("^(%S+) ?(%S*)$")
    local headers = { Authorization = "Bearer " .. token }
    if proof ~= "" then headers = { Authorization = "DPoP " .. token, DPoP = proof } end
    requests[#requests + 1] = wrk.format("GET", "/auth/verify", headers)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end
