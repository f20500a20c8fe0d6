#!/bin/bash
# One run with three targets, and three runs with one each, every one with an empty store and so with a teacher to train: seconds.
#   bench/targets/three.sh runs/three [-set key=value …]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
shift
mkdir -p "$folder"
go build -o "$folder/pipeline" ./cmd/pipeline
run() { # NAME [-set …]: a gate that refuses (status 3) is a result too
  local name=$1 began=$SECONDS
  shift
  "$folder/pipeline" "$@" -set output="$folder/$name" -set store="$folder/store-$name" >"$folder/$name.log" 2>&1 || [ $? = 3 ]
  echo "$name: $((SECONDS - began)) s"
}
run together -c bench/targets/three.toml "$@"
for ratio in 18.5 40 58; do
  run "alone-$ratio" -c bench/targets/ratio.toml -set target.ratio=$ratio "$@"
done
