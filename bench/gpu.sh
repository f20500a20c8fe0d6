#!/usr/bin/env bash
# What is to be found out on a machine with a GPU, which has a PyTorch for CUDA, CMake and a C++ compiler, and no Go:
#   bench/gpu.sh pack                                   here: the programs, into gpu/programs.tar.xz, which travels with the source
#   bench/gpu.sh run [-device D] [-short] [PART...]     there: the parts, all by default; -device cuda unless another is named
#   bench/gpu.sh run -device test -short                here, to try it: on the test device (docs/architecture.md)
# Parts:
#   tests  the test programs of what computes, each test on every device    job    the default job, twice: the second finds all kept
#   runs   the tests of whole runs, with every run on the device            bench  the job's checkpoints, their joules
#   peers  cmd/bench beside python3's PyTorch, at three sizes               start  how long a program takes to start, with CUDA and without
# A part ends after LIMIT seconds (540); OUT is the folder for logs (gpu/out). The findings are printed and kept in OUT/findings.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/gpu
packages=(torch torch/nn torch/optim torch/checkpoint torch/torchtest model pruning distillation cmd/model)
whole=(pipeline/families pipeline)

pack() {
  make -s shim
  rm -rf gpu && mkdir -p gpu/bin
  for package in "${packages[@]}" "${whole[@]}"; do
    go test -c -ldflags="-s -w" -o "gpu/bin/${package//\//-}.test" "./$package"
  done
  go build -ldflags="-s -w" -o gpu/bin/ ./cmd/pipeline ./cmd/bench
  # A dictionary of more than one program: much is the same in all of them.
  tar -C gpu -cf - bin | xz --lzma2=preset=2,dict=128MiB >gpu/programs.tar.xz
  du -h gpu/programs.tar.xz
}

unpack() {
  [ -d gpu/bin ] || tar -C gpu -xJf gpu/programs.tar.xz
  if [ ! -e build/lib/libespalier.so ]; then
    cmake -S . -B build >"$out/cmake.log" && cmake --build build -j >>"$out/cmake.log"
    find_out "the shim was built in $SECONDS s: $(grep -m1 '^libtorch:' "$out/cmake.log")"
  fi
  export LD_LIBRARY_PATH=$PWD/build/lib PATH=$here/bin:$PATH
}

find_out() { echo "$*" | tee -a "$out/findings.txt"; }

# test_all LABEL PACKAGE...: the packages' test programs, several at once, and what their logs say.
test_all() {
  local label=$1 begun=$SECONDS name log
  shift
  mkdir -p "$out/$label"
  printf '%s\n' "$@" | xargs -P "$(((($(nproc) + 1) / 2)))" -I{} bash -c '
    name={}; name=${name//\//-}
    cd "{}" && timeout "$3" "$1/bin/$name.test" -test.v >"$2/$name.log" 2>&1; echo "status $?" >>"$2/$name.log"' _ "$here" "$out/$label" "$limit"
  for name in "$@"; do
    log=$out/$label/${name//\//-}.log
    find_out "$label: $name: $(tail -n 1 "$log"), $(grep -c -- '--- PASS' "$log") passed, $(grep -c -- "--- PASS.*/$device" "$log") of these named for $device, $(grep -c -- '--- FAIL' "$log") failed," \
      "$(grep -c 'NO CUDA DEVICE\|NO DEVICE cuda' "$log") without a GPU"
    grep -- '--- FAIL' "$log" | head -n 5 | tee -a "$out/findings.txt" || true
  done
  find_out "$label: $((SECONDS - begun)) s"
}

seconds() { local begun=$EPOCHREALTIME; "$@" >/dev/null 2>&1 || true; echo "$begun $EPOCHREALTIME" | awk '{printf "%.2f s", $2 - $1}'; }

part_tests() { test_all tests "${packages[@]}"; }

part_runs() { ESPALIER_TEST_RUNS_ON=$device test_all runs "${whole[@]}"; }

job() { timeout "$limit" pipeline -c run.toml -set device="$device" -set output="$out/job" -set store="$out/store" "${settings[@]}"; }

part_job() {
  local begun=$SECONDS
  job >"$out/job.log" 2>&1 || { find_out "job: ended with status $? after $((SECONDS - begun)) s; started again, it goes on"; return; }
  find_out "job: $((SECONDS - begun)) s"
  sed -n '/^Summary/,$p' "$out/job.log" | tee -a "$out/findings.txt"
  begun=$SECONDS
  job >"$out/job-again.log" 2>&1 || true
  find_out "job: the same again, from what is kept: $((SECONDS - begun)) s"
}

part_peers() {
  local only
  for only in "" 5.4B .3B; do
    timeout "$limit" bench -device "$device" "${rounds[@]}" ${only:+-all -only "$only"} -json "$out/peers$only.json" 2>&1 | tee -a "$out/findings.txt" || true
    [ -z "$short" ] || break
  done
}

part_bench() {
  local each=("-device" "$device" -m "$out/job/teacher" -m "$out/job/student")
  [ -d "$out/job/student" ] || { find_out "bench: the job left no student to measure"; return; }
  timeout "$limit" bench "${each[@]}" 2>&1 | tee -a "$out/findings.txt" || true
  [ -n "$short" ] || timeout "$limit" bench -energy "${each[@]}" 2>&1 | tee -a "$out/findings.txt" || true
}

part_start() {
  find_out "start: pipeline -help takes $(seconds pipeline -help), without a GPU in sight $(CUDA_VISIBLE_DEVICES='' seconds pipeline -help)"
  pipeline doctor 2>&1 | tee -a "$out/findings.txt" || true
}

run() {
  out=$(realpath -m "${OUT:-gpu/out}") limit=${LIMIT:-540} device=cuda short='' settings=() rounds=(-rounds 5)
  while [ $# -gt 0 ]; do
    case $1 in
      -device) device=$2; shift 2 ;;
      -short) short=yes; shift ;;
      *) break ;;
    esac
  done
  if [ -n "$short" ]; then
    rounds=(-rounds 1)
    for setting in data.{train=1000,validation=200,test=200,ood=100} teacher.train.{pretrain_steps=20,steps=20,refine_steps=10,accept=0} \
      stage.{blocks,inner,hidden}.{distil.steps=12,alpha=1} eval.latency_runs=20; do settings+=(-set "$setting"); done
  fi
  mkdir -p "$out"
  : >"$out/findings.txt"
  find_out "device $device, $(date -u +%F), $(nproc) cores$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | sed 's/^/, /')"
  unpack
  [ $# -gt 0 ] || set -- start tests peers job bench runs
  for part in "$@"; do "part_$part"; done
}

case ${1:-} in
  pack) pack ;;
  run) shift; run "$@" ;;
  *) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
