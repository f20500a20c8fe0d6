#!/usr/bin/env bash
# setup.sh: makes the Python environment of the parity scripts, once, and prints its interpreter's path on the last line.
# It lies in the user's cache folder under a name that follows from requirements.txt: 5 GB, about two minutes. Usage:
#   $(bench/parity/setup.sh | tail -n 1) bench/parity/cases.py /tmp/cases
set -euo pipefail
requirements=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/requirements.txt
fail() { echo "bench/parity/setup.sh: $*" >&2; exit 1; }

command -v python3 >/dev/null || fail "python3 is not installed"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "Python 3.10 or later is needed, and python3 is $(python3 -V)"
cache=${XDG_CACHE_HOME:-${HOME:?bench/parity/setup.sh: HOME is not set}/.cache}/espalier
folder=$cache/parity-$(sha256sum "$requirements" | cut -c 1-12)
python=$folder/bin/python

mkdir -p "$cache"
exec 9>"$folder.lock"
flock 9 # another run may be at it
if [ ! -e "$folder/whole" ]; then
  rm -rf "$folder" # what an interrupted run left
  echo "fetching PyTorch and transformers into $folder, once: 5 GB, about two minutes" >&2
  python3 -m venv "$folder" || fail "python3 -m venv failed (Debian: apt install python3-venv)"
  # pip's cache would keep the wheels a second time.
  "$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir -r "$requirements" >&2 || fail "pip could not install $requirements"
  touch "$folder/whole"
fi
echo "$python"
