{{- define "loadtest.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* The name label is fixed: the NetworkPolicy of a run lets pods that carry it reach the workers. */}}
{{- define "loadtest.selector" -}}
app.kubernetes.io/name: loadtest-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "loadtest.labels" -}}
{{ include "loadtest.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "loadtest.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "loadtest.name" .) }}
{{- end -}}

{{- define "loadtest.image" -}}
{{ .image.repository }}:{{ .image.tag | default .default }}
{{- end -}}

{{/* What a run needs in the namespace of its LoadTest. */}}
{{- define "loadtest.runRules" -}}
- apiGroups: [loadtest.dev]
  resources: [loadtests]
  verbs: [get, list, watch, create, patch, delete] # create and delete: those of schedules and sweeps
- apiGroups: [loadtest.dev]
  resources: [loadtestschedules, loadtestsweeps]
  verbs: [get, list, watch, patch]
- apiGroups: [loadtest.dev]
  resources: [loadtests/status, loadtestschedules/status, loadtestsweeps/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, create, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, create, delete]
{{ include "loadtest.proxyRule" . }}
# By name, never listed or watched: the Secret of each run, and what spec.target refers to. For authorization a Secret is
# only used where it is labelled loadtest.dev/authorization=true.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, create, delete] # list: does one of them select the workers by labels that a user gave?
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, create, delete]
# Would one of them count the workers among its pods, by labels that a user gave?
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [list]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create]
{{- end -}}

{{/* The way to pods where their addresses cannot be reached: to workers, and for the probe to the target's. The verb is the
request's method: get, create (POST), update (PUT), patch, delete. */}}
{{- define "loadtest.proxyRule" -}}
{{- if eq .Values.workerAccess "ApiServerProxy" }}
- apiGroups: [""]
  resources: [pods/proxy]
  verbs: [get, create, update, patch, delete]
{{- end }}
{{- end -}}

{{/* What the operator reads of a target: nothing here can change it (but what a LoadTest sends to it can, by the API server's
proxy as by any other way). */}}
{{- define "loadtest.targetRules" -}}
- apiGroups: [""]
  resources: [services]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments, statefulsets, replicasets]
  verbs: [get]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list]
# What an autoscaler steers by: a metric is a resource of its own there.
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
- apiGroups: [custom.metrics.k8s.io, external.metrics.k8s.io]
  resources: ["*"]
  verbs: [get, list]
{{ include "loadtest.proxyRule" . }}
{{- end -}}

{{- define "loadtest.subject" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "loadtest.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* The operator's settings, for its pods and for the one that ends its runs before it is uninstalled. */}}
{{- define "loadtest.environment" -}}
- {name: LOADTEST_WORKER_IMAGE, value: {{ include "loadtest.image" (dict "image" .Values.worker.image "default" .Chart.AppVersion) | quote }}}
- {name: LOADTEST_WORKER_IMAGE_PULL_POLICY, value: {{ .Values.worker.image.pullPolicy | quote }}}
- {name: LOADTEST_WORKER_START_SECONDS, value: {{ .Values.worker.startSeconds | quote }}}
- {name: LOADTEST_WATCH_NAMESPACES, value: {{ join "," .Values.watchNamespaces | quote }}}
- {name: LOADTEST_ALLOWED_TARGET_NAMESPACES, value: {{ join "," .Values.allowedTargetNamespaces | quote }}}
- {name: LOADTEST_ALLOW_URLS, value: {{ .Values.allowUrls | quote }}}
- {name: LOADTEST_ALLOWED_PRIORITY_CLASSES, value: {{ join "," .Values.allowedPriorityClasses | quote }}}
- {name: LOADTEST_POD_KILL_ENABLED, value: {{ .Values.faults.podKill.enabled | quote }}}
- {name: LOADTEST_POD_KILL_MOST_PERCENT, value: {{ .Values.faults.podKill.mostPercent | quote }}}
- {name: LOADTEST_WORKER_ACCESS, value: {{ .Values.workerAccess | quote }}}
- {name: LOADTEST_WORKER_EGRESS, value: {{ .Values.workerEgress | quote }}}
- {name: LOADTEST_METRICS_PORT, value: "9090"}
- {name: LOADTEST_PROBE_PORT, value: "8080"}
- {name: LOADTEST_OPERATOR_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: LOADTEST_IDENTITY, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
# Also with one replica: whatever Kubernetes does with its pods, two operators never act at once.
- {name: LOADTEST_LEASE_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: LOADTEST_LEASE_NAME, value: {{ include "loadtest.name" . | quote }}}
# kopf asks for the user's name, and there is no such user in the image.
- {name: USER, value: loadtest-operator}
{{- end -}}

{{- define "loadtest.podKillRules" -}}
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end }}
