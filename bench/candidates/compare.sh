#!/bin/bash
# Is it worth while that stages try ways to score? Students of the default job whose stages all score in one way, and one whose stages
# try three, with the same steps in all.
#   SEEDS="1 2 3" bench/candidates/compare.sh runs/candidates [-set key=value …]
# Teachers and all that runs have in common are computed once.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$1
shift
mkdir -p "$folder"
go build -o "$folder/pipeline" ./cmd/pipeline
for seed in ${SEEDS:-1}; do
  run() { # NAME blocks-criterion blocks-loss criterion loss [-set …]: gates are open, since all are to end
    local name=$1 set=(-set "stage.blocks.criterion=$2" -set "stage.blocks.loss=$3")
    for stage in inner hidden; do set+=(-set "stage.$stage.criterion=$4" -set "stage.$stage.loss=$5"); done
    shift 5
    "$folder/pipeline" -c run.toml -set seed="$seed" -set output="$folder/$name-$seed" -set stage.blocks.alpha=1 -set stage.inner.alpha=1 \
      -set stage.hidden.alpha=1 -set data.test=4000 "${set[@]}" "$@" >"$folder/$name-$seed.log" 2>&1 || echo "$name, seed $seed: see $folder/$name-$seed.log"
  }
  three='["taylor-sample/margin", "gradient/cross-entropy", "cosine"]'
  others='["taylor-sample/margin", "gradient/cross-entropy", "taylor-vector/margin"]'
  run sample taylor-sample margin taylor-sample margin "$@"
  run gradient gradient cross-entropy gradient cross-entropy "$@"
  run vector cosine margin taylor-vector margin "$@"
  run tried gradient cross-entropy gradient cross-entropy -set "stage.blocks.candidates=$three" -set "stage.inner.candidates=$others" -set "stage.hidden.candidates=$others" "$@"
done
python3 - "$folder" <<'END'
import json, pathlib, sys
final, taus, agree, cases = {}, [], 0, 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/report.json")):
    r, (name, seed) = json.loads(path.read_text()), path.parent.name.rsplit("-", 1)
    final.setdefault(name, {})[seed] = 100 * r["student"]["accuracy"]["overall"]
    stages = "  ".join(f"{s['name']} {100 * s['distilled']['accuracy']['overall']:.1f}" for s in r["stages"])
    print(f"{path.parent.name:12} {stages}")
    for s in r["stages"]:
        tried = [c for c in s.get("candidates", []) if c.get("accuracy_short") is not None]
        if len(tried) > 1:
            cases += 1
            agree += max(tried, key=lambda c: c["accuracy_cut"]) is max(tried, key=lambda c: c["accuracy_short"])
            taus.append(s["kendall_tau"])
            print("             " + s["name"] + ": " + ", ".join(f"{c['name']} {100 * c['accuracy_cut']:.1f} -> {100 * c['accuracy_short']:.1f}" + (" *" if c.get("chosen") else "") for c in tried))
mean = lambda x: sum(x) / len(x)
means = {name: mean(of.values()) for name, of in final.items()}
fixed = {name: m for name, m in means.items() if name != "tried"}
print({name: round(m, 2) for name, m in means.items()})
if "tried" in means and fixed:
    print(f"gain over the best fixed way: {means['tried'] - max(fixed.values()):+.2f}; over one at random: {means['tried'] - mean(fixed.values()):+.2f} points")
if cases:
    print(f"Kendall's tau {mean(taus):.2f}; best just after the cut is best after training in {agree} of {cases}")
END
