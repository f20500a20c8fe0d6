#!/usr/bin/env bash
# formats.sh: real files of other people, as the packages lpips, facenet-pytorch (state dicts) and silero-vad (TorchScript)
# ship them: listed by `model inspect`, converted to safetensors, and compared with what Python's torch reads, bit for bit; and
# written as .pt, which torch.load must read with weights_only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$(bench/parity/setup.sh | tail -n 1)
work=build/parity/formats
rm -rf "$work" && mkdir -p "$work"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps -d "$work" lpips==0.1.4 facenet-pytorch==2.6.0 silero-vad==6.2.3
for wheel in "$work"/*.whl; do "$python" -m zipfile -e "$wheel" "$work/files"; done
go build -o build/model ./cmd/model
pairs=()
while read -r file; do
  build/model inspect "$file" | sed -n 1p
  out=$work/${#pairs[@]}
  build/model convert -out "$out.safetensors" "$file" >"$work/log"
  build/model convert -out "$out.pt" "$out.safetensors" >"$work/log" # and back, for torch.load with weights_only
  pairs+=("$file" "$out.safetensors" "$out.pt" "$out.safetensors")
done < <(find "$work/files" -name '*.pth' -o -name '*.pt' -o -name '*.jit' | sort)
"$python" bench/parity/formats.py "${pairs[@]}"
