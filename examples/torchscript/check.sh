#!/bin/bash
# Exports a checkpoint and compares what the C++ example and Python answer with what this program does.
#   examples/torchscript/check.sh CHECKPOINT QUESTIONS.jsonl [how many, 200]
# PYTHON names a Python with torch; without one, C++ alone is compared. make comes before.
set -euo pipefail
cd "$(dirname "$0")/../.."
checkpoint=$(realpath "$1") questions=$(realpath "$2") first=${3:-200} python=${PYTHON:-python3}
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

go run ./cmd/model export -m "$checkpoint" -out "$work/student"
go run ./cmd/model generate -m "$checkpoint" -device cpu -ask "$questions" -first "$first" -inputs "$work" >"$work/answers.jsonl"
sed -E 's/.*"ids":\[([0-9,]*)\]\}$/\1/; s/,/ /g' "$work/answers.jsonl" >"$work/want.txt"
pictures=$(sed -E 's/.*"file_name":"([^"]*)".*/\1/' "$work/answers.jsonl" | sort -u | wc -l)

# Whoever answers sees the exported file and the inputs, and nothing else of ours.
compare() {
  local name=$1 && shift
  (cd "$work" && "$@" student/model.pt pixels.bin ids.txt) >"$work/$name.txt"
  local all same
  all=$(wc -l <"$work/want.txt")
  same=$(paste -d'#' "$work/want.txt" "$work/$name.txt" | awk -F'#' '$1 == $2' | wc -l)
  echo "$name: $same of $all answers about $pictures pictures equal"
  [ "$same" = "$all" ] && [ "$(wc -l <"$work/$name.txt")" = "$all" ]
}

cmake -S examples/torchscript -B build/torchscript -DLIBTORCH="$(dirname "$(readlink build/libtorch)")" >/dev/null
cmake --build build/torchscript >/dev/null
compare C++ "$PWD/build/torchscript/answer"
if (cd "$work" && "$python" -c "import torch" 2>/dev/null); then
  compare Python "$python" "$PWD/examples/torchscript/answer.py"
else
  echo "Python: $python has no torch; set PYTHON to one that has"
fi
