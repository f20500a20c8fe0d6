#!/usr/bin/env bash
# Asks a server of a run's student and teacher with OpenAI's own libraries, and with 64 clients at once; every answer must be that of
# `model generate`. Needs bin/ (make), Python and Go's module proxy.
#
#   bench/serve/check.sh RUN [SECONDS under load, 60]
set -euo pipefail
cd "$(dirname "$0")/../.."
. bench/serve/start.sh
run=$(realpath "$1") seconds=${2:-60}

venv=${XDG_CACHE_HOME:-$HOME/.cache}/espalier/openai python=$venv/bin/python
[ -x "$python" ] || python3 -m venv "$venv"
"$python" -c 'import openai' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check openai

start_server "$run"

# The server's own samples, as a data set.
"$python" - "$url" "$work" <<'PYTHON'
import json, sys, urllib.request
url, work = sys.argv[1:]
get = lambda path: urllib.request.urlopen(url + path).read()
samples = json.loads(get("/samples"))["samples"]
with open(f"{work}/questions.jsonl", "w") as lines:
    for i, s in enumerate(samples):
        open(f"{work}/{i}.png", "wb").write(get(s["picture"]))
        for q in s["questions"]:
            lines.write(json.dumps({"file_name": f"{i}.png", "question": q["question"]}) + "\n")
PYTHON

first() { "$python" -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())[sys.argv[2]])' "$work/want.jsonl" "$1"; }
for model in student teacher; do
  bin/model generate -m "$run/$model" -ask "$work/questions.jsonl" > "$work/want.jsonl"
  question=$(first question) answer=$(first answer)
  "$python" bench/serve/openai_client.py "$url" "$model" "$work/0.png" "$question" "$answer"
  (cd bench/serve/openai-go && go run . "$url" "$model" "$work/0.png" "$question" "$answer")
  gain=0; [ "$model" = student ] || gain=1.5
  go test -count=1 -timeout 1h -v -run '^TestLoad$' ./serve -args -url "$url" -model "$model" -want "$work/want.jsonl" -for "${seconds}s" -gain "$gain" | grep -v '^=== '
done
kill -TERM "$server"
wait "$server" && echo "the server stopped with status 0"
server=
