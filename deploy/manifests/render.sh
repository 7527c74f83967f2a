#!/bin/sh
# The chart's manifests with its default values, to standard output: make manifests.
set -eu
cd "$(dirname "$0")/../.."
echo "# Generated from charts/loadtest-operator by \`make manifests\`. Do not edit."
"${HELM:-helm}" template loadtest-operator charts/loadtest-operator --namespace loadtest-system --no-hooks --set crds.install=false |
  sed 's/app.kubernetes.io\/managed-by: Helm/app.kubernetes.io\/managed-by: kustomize/'
