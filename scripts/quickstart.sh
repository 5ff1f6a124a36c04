#!/usr/bin/env bash
# The whole path of mt5x on ten small made-up languages: from nothing to a report, on two CPU cores.
#
#   bash scripts/quickstart.sh           a quarter of an hour, installation included
#   bash scripts/quickstart.sh --short   the same path cut down, a few minutes
#
# Needs Python 3.11 and the package index. Run again, it finds what is done and redoes nothing.

source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

study=quickstart
case "${1-}" in
  "") ;;
  --short) study=quickstart_short ;;
  *) fail "unknown argument '$1': quickstart.sh takes --short or nothing" ;;
esac

start=$SECONDS
ensure_environment
stage "writing the sample world" mt5x sample-data --out runs/sample_world
stage "running the study $study" mt5x study run "t5x_configs/studies/$study.gin"

say "all done in $((SECONDS - start)) s; look at"
printf '    %s\n' "runs/$study/report/index.html   pictures and tables: open it in a browser" \
  "runs/$study/results.jsonl       every score, one row each"
