#!/usr/bin/env bash
# Opens a run's event files with the real TensorBoard: its own reader, and its server, must show every number of metrics.csv, and histograms,
# pictures and texts. Without an argument it makes a run of seconds, twice, while the server looks on: the second start must not double
# anything. TensorBoard (60 MB) comes from PyPI, once, into the user's cache folder. Needs bin/ (make).
#
#   bench/page/event_files.sh [RUN]
set -euo pipefail
cd "$(dirname "$0")/../.."
requirements=bench/page/event_files.txt
skip() {
  printf '\n!!! tensorboard-test: SKIPPED: %s\n!!! The event files were NOT read by the real TensorBoard.\n\n' "$*" >&2
  exit 0
}

command -v python3 >/dev/null || skip "python3 is not installed"
cache=${XDG_CACHE_HOME:-${HOME:?bench/page/event_files.sh: HOME is not set}/.cache}/espalier
folder=$cache/tensorboard-$(sha256sum "$requirements" | cut -c 1-12) python=$cache/tensorboard-$(sha256sum "$requirements" | cut -c 1-12)/bin/python
mkdir -p "$cache"
exec 9>"$folder.lock"
flock 9 # another one may be at it
if [ ! -e "$folder/whole" ]; then
  rm -rf "$folder" # what an interrupted one left
  python3 -m venv "$folder" || skip "python3 -m venv failed (Debian: apt install python3-venv)"
  "$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir -r "$requirements" >&2 || skip "pip could not install $requirements"
  touch "$folder/whole"
fi
flock -u 9

if [ $# -gt 0 ]; then
  exec "$python" bench/page/event_files.py "$1"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" bench/page/event_files.py "$work/run" bin/pipeline -c bench/page/event_files.toml -set output="$work/run" -set store="$work/store"
