#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, and reports what each
# did: executions, inputs that reached something new, crashes. An input that made a
# target fail is left in that target's testdata/fuzz.
#
#   fuzz/all.sh [TIME]     TIME for each target, as in 30s, 10m or 1h; 1m by default
set -euo pipefail
cd "$(dirname "$0")/.."

each=${1:-1m}
crashes=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# out_of_time LOG: go test reports an execution that the end of the time cut off as a
# failure, which names no input.
out_of_time() {
  grep -q '^    context deadline exceeded$' "$1" &&
    ! grep -q -e 'Failing input' -e 'failure while testing seed corpus' -e '^panic' "$1"
}

printf '%-24s %-20s %12s %6s  %s\n' package target executions new result
for pkg in $(go list ./...); do
  targets=$(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true)
  for target in $targets; do
    result=ok
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" -fuzzminimizetime 20x "$pkg" >"$log" 2>&1 ||
      out_of_time "$log" || { result=CRASH; crashes=$((crashes + 1)); }
    # fuzz: elapsed: 3s, execs: 12345 (4115/sec), new interesting: 7 (total: 203)
    last=$(grep 'execs:' "$log" | tail -n 1 || true)
    execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' <<<"$last")
    new=$(sed -n 's/.*new interesting: \([0-9]*\).*/\1/p' <<<"$last")
    printf '%-24s %-20s %12s %6s  %s\n' "${pkg##*/}" "$target" "${execs:-0}" "${new:-0}" "$result"
    [ "$result" = ok ] || sed 's/^/    /' "$log"
  done
done
[ "$crashes" -eq 0 ] || { echo "$crashes targets crashed"; exit 1; }
