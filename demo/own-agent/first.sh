#!/bin/sh
# The smallest agent: it is given a ticket, changes files in the folder that it stands in, and ends with 0.
set -eu
echo "ticket $SKEP_TICKET_ID, attempt $SKEP_ATTEMPT"
# What a review has found wrong with the last attempt; the first one has none.
if [ -n "${SKEP_FEEDBACK:-}" ]; then cat "$SKEP_FEEDBACK"; fi
if ! grep -q 'goodbye.txt' "$SKEP_TICKET"; then
  echo 'this agent can do nothing but say goodbye' >&2
  exit 1
fi
echo 'Goodbye, Ada!' > goodbye.txt
sh check.sh
