#!/bin/bash
# Students with and without changed training pictures, and teachers with them: accuracy on test and out of distribution.
#   bench/vary/compare.sh run.toml runs/vary [-set key=value …]
# Teachers and all that runs have in common are computed once. Give SEEDS="1 2 3" for several seeds.
set -euo pipefail
cd "$(dirname "$0")/../.."
config=$1 folder=$2
shift 2
go build -o "$folder/pipeline" ./cmd/pipeline
for seed in ${SEEDS:-1}; do
  run() { # NAME [-set …]: gates are open, since all are to end
    local name=$1
    shift
    "$folder/pipeline" -c "$config" -set seed="$seed" -set output="$folder/$name-$seed" -set stage.blocks.alpha=1 -set stage.inner.alpha=1 -set stage.hidden.alpha=1 \
      "$@" >"$folder/$name-$seed.log" 2>&1 || echo "$name, seed $seed: see $folder/$name-$seed.log"
  }
  run none "$@" -set data.vary.strength=0
  run kept "$@" -set data.vary.outputs=kept
  run varied "$@" -set data.vary.outputs=varied
  run both "$@" -set data.vary.outputs=varied -set data.vary.teacher=true
done
python3 - "$folder" <<'END'
import json, pathlib, sys
print(f"{'':12}{'teacher: test':>14}{'ood':>8}{'student: test':>15}{'ood':>8}")
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/report.json")):
    r = json.loads(path.read_text())
    of = lambda m: (m["accuracy"]["overall"], m.get("ood", {}).get("overall", float("nan")))
    print(f"{path.parent.name:12}{of(r['teacher'])[0]:14.4f}{of(r['teacher'])[1]:8.4f}{of(r['student'])[0]:15.4f}{of(r['student'])[1]:8.4f}")
END
