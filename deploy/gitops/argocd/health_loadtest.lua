-- Health of a LoadTest. A test that did not pass is no broken application: Healthy, with the verdict in the message.
-- With the annotation loadtest.dev/gate (anything but "false") it is a gate: Passed is Healthy, any other end Degraded.
-- A verdict counts only for the run that spec.runToken asks for. Argo CD gives no string library here.
local metadata, spec, status = obj.metadata or {}, obj.spec or {}, obj.status or {}
local run = status.run or {}
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

if status.phase == "Finished" and run.token == (spec.runToken or "1") then
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

if status.phase == nil or status.phase == "Finished" then
  if spec.suspend == true then
    return health("Suspended", "spec.suspend holds the start")
  end
  return health("Progressing", "waiting for the operator to begin the run with runToken " .. (spec.runToken or "1"))
end

if spec.suspend == true and run.loadStartTime == nil then
  return health("Suspended", said("spec.suspend holds the start"))
end

local where = status.phase
if run.currentStage ~= nil then
  where = where .. ", stage " .. run.currentStage
end
if run.progressPercent ~= nil then
  where = where .. ", " .. run.progressPercent .. " %"
end
return health("Progressing", said(where))
