-- Asks Latchkey about the Authorization header of a request, and about nothing else of it: no body,
-- no Expect, no header of the client's choice goes with the question.
--   http-request lua.latchkey http://127.0.0.1:3333/auth/verify
-- sets txn.latchkey_status (0 when there was no answer) and what the answer says about who it is.

local timeout_ms = 5000

local copied = {
  ["x-auth-subject"] = "txn.latchkey_subject",
  ["x-auth-session"] = "txn.latchkey_session",
  ["x-auth-roles"] = "txn.latchkey_roles",
  ["x-auth-device-type"] = "txn.latchkey_device_type",
  ["www-authenticate"] = "txn.latchkey_challenge",
}

core.register_action("latchkey", { "http-req" }, function(txn, url)
  txn:set_var("txn.latchkey_status", 0)
  local sent = {}
  local authorization = txn.http:req_get_headers()["authorization"]
  if authorization ~= nil then
    sent["authorization"] = {}
    for _, value in pairs(authorization) do
      table.insert(sent["authorization"], value)
    end
  end
  local answer = core.httpclient():get({ url = url, headers = sent, timeout = timeout_ms })
  if answer == nil or answer.status == nil then
    return
  end
  for name, variable in pairs(copied) do
    local values = answer.headers ~= nil and answer.headers[name] or nil
    if values ~= nil then
      txn:set_var(variable, values[0] or values[1])
    end
  end
  txn:set_var("txn.latchkey_status", answer.status)
end, 1)
