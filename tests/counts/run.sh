#!/usr/bin/env bash
# Counts the instructions of the scan engine and of request decoding for fixed inputs and holds them
# against tests/counts/expected.txt. Instructions do not depend on how busy the machine is.
#   tests/counts/run.sh           check
#   tests/counts/run.sh --update  write what was counted into expected.txt
set -uo pipefail
cd "$(dirname "$0")/../.."
expected=tests/counts/expected.txt
target="${CARGO_TARGET_DIR:-$PWD/target}"
cargo build --quiet -p sluicegate --example counts || exit 1
passed=0 failed=0
counted=""
while read -r piece limit tolerance; do
  case "$piece" in
    '') continue ;;
    '#'*) counted+="$piece $limit $tolerance"$'\n'; continue ;;
  esac
  case "$piece" in steady | first) function="count_answer_$piece" ;; *) function="count_$piece" ;; esac
  got=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "--toggle-collect=*$function*" \
    "$target/debug/examples/counts" "$piece" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p')
  if [ "${1:-}" = --update ]; then counted+="$piece ${got:-0} $tolerance"$'\n'; continue; fi
  most=$((limit + limit * tolerance / 100)) least=$((limit - limit * 4 * tolerance / 100))
  if [ -z "$got" ] || [ "$got" -lt 1000 ]; then
    echo "FAILED $piece: nothing was counted; is the function still called $function?"; failed=$((failed + 1))
  elif [ "$got" -gt "$most" ]; then
    echo "FAILED $piece: $got instructions, at most $most are allowed ($limit + $tolerance %)"; failed=$((failed + 1))
  else
    echo "ok $piece: $got instructions ($limit expected)"; passed=$((passed + 1))
    [ "$got" -lt "$least" ] && echo "   much faster than expected: run tests/counts/run.sh --update to keep it so"
  fi
done <"$expected"
if [ "${1:-}" = --update ]; then printf '%s' "$counted" | sed 's/ *$//' >"$expected"; cat "$expected"; exit 0; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
