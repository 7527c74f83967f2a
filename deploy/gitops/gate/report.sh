#!/bin/sh
# report.sh NAMESPACE NAME FILE: the stored report of the newest run of LoadTest NAME, as `loadgen report` reads it.
# Needs kubectl, base64 and gzip. Exits with 2 where there is no report: a run that offered no load has none.
set -eu

namespace=$1 name=$2 file=$3
stored=$(kubectl get loadtest "$name" -n "$namespace" -o 'jsonpath={.status.artifacts[0].name}')
if [ -z "$stored" ]; then
  echo "report: LoadTest $name in $namespace has stored no report" >&2
  exit 2
fi
kubectl get configmap "$stored" -n "$namespace" -o 'jsonpath={.binaryData.report\.json\.gz}' | base64 -d | gzip -d >"$file"
