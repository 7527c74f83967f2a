-- Health of a LoadTestSchedule: whether its next start will be made; the last verdict is in the message.
-- With the annotation loadtest.dev/gate (anything but "false") it is Healthy only while the last finished run passed.
-- What a condition says counts only for the generation that it was computed from.
local metadata, spec, status = obj.metadata or {}, obj.spec or {}, obj.status or {}
local gate = (metadata.annotations or {})["loadtest.dev/gate"]
local is_gate = gate ~= nil and gate ~= "false"

local function health(state, message)
  return {status = state, message = message}
end

local function condition(kind)
  for _, each in ipairs(status.conditions or {}) do
    if each.type == kind then
      return each
    end
  end
  return {}
end

local ready, last = condition("Ready"), condition("LastRunPassed")
if ready.status == nil or (ready.observedGeneration ~= nil and ready.observedGeneration ~= metadata.generation) then
  return health("Progressing", "waiting for the operator to read the schedule")
end
if ready.status == "False" then
  return health("Degraded", ready.message or "not ready")
end
if ready.status ~= "True" then
  return health("Progressing", ready.message or "not ready yet")
end
if spec.suspend == true then
  return health("Suspended", ready.message or "spec.suspend is true: no LoadTest is made")
end

local message = (ready.message or "ready") .. "; " .. (last.message or "no LoadTest has finished yet")
if is_gate and last.status == "False" then
  return health("Degraded", message)
end
if is_gate and last.status ~= "True" then
  return health("Progressing", message)
end
return health("Healthy", message)
