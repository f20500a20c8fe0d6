#!/bin/bash
# Targets, end to end: the students' sizes and latencies against what was asked for. Run it on an idle machine, from the project's folder:
#   bench/targets/run.sh
# Ten targets on the default job's teacher, two each on a drawn BLIP-2-OPT and a drawn InstructBLIP-T5.
set -e
go run ./cmd/pipeline -c bench/targets/default.toml
for name in blip2-opt instructblip-t5; do
  teacher=runs/targets-$name-teacher
  go run ./cmd/model random -config bench/targets/$name.json -out $teacher -tokenizer runs/targets-default/teacher
  if [ $name = instructblip-t5 ]; then # its Q-Former reads the question too
    mkdir -p $teacher/qformer_tokenizer && cp $teacher/tokenizer.json $teacher/qformer_tokenizer/
  fi
  go run ./cmd/pipeline -c bench/targets/$name.toml
done
