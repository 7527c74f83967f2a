-- Health of a LoadTestSweep. A sweep that did not pass is no broken application: Healthy, with the verdict in the message.
-- With the annotation loadtest.dev/gate (anything but "false") it is a gate: Passed is Healthy, any other end Degraded.
-- Its spec cannot change, so a verdict is always that of the spec. Argo CD gives no string library here.
local metadata, spec, status = obj.metadata or {}, obj.spec or {}, obj.status or {}
local gate = (metadata.annotations or {})["loadtest.dev/gate"]
local is_gate = gate ~= nil and gate ~= "false"

local function health(state, message)
  return {status = state, message = message}
end

local function said(head)
  if status.message == nil or status.message == "" then
    return head
  end
  return head .. ": " .. status.message
end

if status.phase == "Finished" then
  if status.verdict == "Passed" then
    return health("Healthy", said("Passed"))
  end
  if is_gate then
    return health("Degraded", said(status.verdict or "finished without a verdict"))
  end
  if status.verdict == nil then
    return health("Unknown", said("finished without a verdict"))
  end
  return health("Healthy", said(status.verdict) .. " (no gate: see annotation loadtest.dev/gate)")
end
if spec.suspend == true and status.current == nil then
  return health("Suspended", said("spec.suspend is true"))
end
if status.phase == nil then
  return health("Progressing", "waiting for the operator to begin the sweep")
end
return health("Progressing", said(status.phase))
