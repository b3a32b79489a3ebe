#!/bin/sh
# Makes Ember: data, training, export, evaluation; one script for processors and GPUs.
# Usage: ember.sh BIN. Dials are variables: SIZE, MINUTES, COUNT, SEED, PHASES, OUT, LIMIT, GPUS.
# The same words go on with a run that was stopped.
set -eu
bin=$(cd "${1:-.venv/bin}" && pwd)
size=${SIZE:-6m}
minutes=${MINUTES:-78}
count=${COUNT:-400000}
seed=${SEED:-1}
phases=${PHASES:-256:0.5,768:0.82,4096:1}
out=${OUT:-ember}
limit=${LIMIT:-0} # cases a set in the evaluation; 0: all
gpus=${GPUS:-$("$bin/python" -c 'import torch; print(torch.cuda.device_count())')}
mkdir -p "$out"

"$bin/hermes" train run --size "$size" --estimate
[ -f "$out/data/shard.json" ] ||
    "$bin/hermes" train curriculum --count "$count" --seed "$seed" --out "$out/data"
[ -f "$out/copying/shard.json" ] ||
    "$bin/hermes" train curriculum --copying --count 20000 --seed "$seed" \
        --like "$out/data" --out "$out/copying"

launch="$bin/python -m"
[ "$gpus" -lt 2 ] || launch="$bin/python -m torch.distributed.run --nproc-per-node $gpus -m"
$launch training.trainer --shard "$out/data" --warm "$out/copying" --out "$out/run" \
    --size "$size" --minutes "$minutes" --phases "$phases" --seed "$seed" --name ember

"$bin/hermes" train eval "$out/run/model.gguf" --limit "$limit" --json >"$out/evaluation.json"
"$bin/hermes" train eval "$out/run/model.gguf" --set free --grammar on --limit "$limit"
echo "ember: $out/run/model.gguf, figures in $out/evaluation.json"
