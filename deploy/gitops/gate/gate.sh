#!/bin/sh
# gate.sh NAMESPACE FILE TOKEN SECONDS: runs the LoadTest of FILE with runToken TOKEN and waits for its verdict.
#
# Exits as `loadgen run` does: 0 Passed, 1 Failed, 2 bad input, 3 Inconclusive (or no verdict within SECONDS), 4 Error, 5 Aborted.
# Calling it again with the same TOKEN and FILE starts nothing: it waits for the same run, and gives the same answer. A verdict
# counts only for the run of TOKEN; that another run goes on is waited for. Needs kubectl and, where it runs, deploy/gitops/gate/rbac.yaml.
set -u

bad_input() {
  echo "gate: $1" >&2
  exit 2
}

[ $# -eq 4 ] || bad_input "four arguments are needed: NAMESPACE FILE TOKEN SECONDS; $# were given"
namespace=$1 file=$2 token=$3 seconds=$4
case $token in
  '' | *[!A-Za-z0-9._:@/+=-]*) bad_input "TOKEN '$token' may hold letters, digits and ._:@/+=- and is not empty: use a commit or an image's digest" ;;
esac
case $seconds in
  '' | *[!0-9]*) bad_input "SECONDS '$seconds' is no whole number: give the LoadTest's activeDeadlineSeconds and a minute more" ;;
esac

body=$(kubectl patch --local -f "$file" --type=merge -p "{\"spec\":{\"runToken\":\"$token\"}}" -o json) ||
  bad_input "$file is no LoadTest that can be read"
name=$(printf '%s' "$body" | kubectl apply -n "$namespace" -f - -o name) ||
  bad_input "the LoadTest of $file was not taken in namespace $namespace: the reason is above"
echo "gate: $name in $namespace, runToken $token: waiting for its verdict, $seconds s at most"

status() {
  kubectl get "$name" -n "$namespace" -o "jsonpath=$1" 2>/dev/null
}

deadline=$(($(date +%s) + seconds))
while :; do
  seen=$(status '{.status.run.token} {.status.phase} {.status.verdict}')
  case $seen in
    "$token Finished "*) break ;;
  esac
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "gate: no verdict within $seconds s (the last that was seen of the run: '${seen:-nothing}'): $(status '{.status.message}')" >&2
    exit 3
  fi
  sleep 5
done

verdict=${seen#"$token Finished "}
echo "gate: $verdict: $(status '{.status.message}')"
case $verdict in
  Passed) exit 0 ;;
  Failed) exit 1 ;;
  Error) exit 4 ;;
  Aborted) exit 5 ;;
  *) exit 3 ;;
esac
