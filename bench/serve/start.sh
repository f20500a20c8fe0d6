# For scripts that ask a server; they have set -euo pipefail. start_server RUN serves the run's student and teacher at $url, with $work a
# folder for files, until the script ends or kills $server.
start_server() {
  work=$(mktemp -d) server=
  trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
  bin/serve -m "$1/student" -m "$1/teacher" -listen 127.0.0.1:0 >"$work/log" &
  server=$!
  until url=$(sed -n 's|^page \(http://[^/]*\)/.*|\1|p' "$work/log") && [ -n "$url" ]; do
    kill -0 "$server" || exit 1
    sleep .2
  done
}
