#!/usr/bin/env bash
# Drives a run's report and the server's page in headless Chromium; `make page-test` runs it. Without RUN it makes a small run first. Needs bin/ (make);
# says what it skips where Chromium or Playwright is missing.
#
#   bench/page/check.sh [RUN [FOLDER for screenshots]]
set -euo pipefail
cd "$(dirname "$0")/../.."
. bench/serve/start.sh
skip() {
  printf '\n!!! page-test: SKIPPED: %s\n!!! The report and the server'"'"'s page were NOT looked at in a browser.\n\n' "$1" >&2
  exit 0
}
command -v chromium chromium-browser google-chrome >/dev/null || skip "there is no chromium (Debian: apt install chromium)"
venv=${XDG_CACHE_HOME:-$HOME/.cache}/espalier/browser python=$venv/bin/python
[ -x "$python" ] || python3 -m venv "$venv" || skip "python3 cannot make a virtual environment (Debian: apt install python3-venv)"
"$python" -c 'import playwright' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check -r bench/page/requirements.txt ||
  skip "pip cannot install Playwright"

run=${1:-} shots=${2:-}
if [ -z "$run" ]; then
  run=build/page-test/run
  bin/pipeline -c bench/page/run.toml >build/page-test.log || { cat build/page-test.log >&2; exit 1; }
fi
bin/pipeline report "$run" >/dev/null
"$python" bench/page/report_page.py "$run/report.html" ${shots:+"$shots"}

start_server "$run"
"$python" bench/page/server_page.py "$url" ${shots:+"$shots"}
