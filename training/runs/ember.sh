#!/bin/sh
# Makes Ember: data, training, export, evaluation; one script for processors and GPUs.
# Usage: ember.sh BIN. Dials are variables: SIZE, MINUTES, COUNT, SEED, BRIEF, OUT, LIMIT, GPUS.
# Two stretches of one run: many short requests, then whole conversations, the last of them deep in
# the window. The same words go on with a run that was stopped.
set -eu
bin=$(cd "${1:-.venv/bin}" && pwd)
size=${SIZE:-6m}
minutes=${MINUTES:-145}
count=${COUNT:-400000}
seed=${SEED:-5}
brief=${BRIEF:-0.57} # share of the time that goes to short requests
out=${OUT:-ember}
limit=${LIMIT:-0} # cases a set in the evaluation; 0: all
gpus=${GPUS:-$("$bin/python" -c 'import torch; print(torch.cuda.device_count())')}
mkdir -p "$out"

"$bin/hermes" train run --size "$size" --estimate
data() { # NAME SEED WORDS...
    name=$1 from=$2
    shift 2
    [ -f "$out/$name/shard.json" ] ||
        "$bin/hermes" train curriculum --seed "$from" "$@" --out "$out/$name"
}
data brief 21 --count "$count" --brief 0.88 --long 0
data whole 22 --count $((count * 3 / 10)) --brief 0.4 --like "$out/brief"
data copying 7 --count 60000 --copying --like "$out/brief"

launch="$bin/python -m"
[ "$gpus" -lt 2 ] || launch="$bin/python -m torch.distributed.run --nproc-per-node $gpus -m"
stretch() { # SHARD UNTIL
    $launch training.trainer --shard "$out/$1" --until "$2" --warm "$out/copying" \
        --replay "$out/copying" --replay-share 0.08 --out "$out/run" \
        --size "$size" --minutes "$minutes" --tokens 6144 --decay 0.6 --warm-until 0.02 \
        --phases "256:$brief,768:0.8,1024:0.95,2048:1" --seed "$seed" --name ember
}
stretch brief "$brief"
stretch whole 1

"$bin/hermes" train eval "$out/run/model.gguf" --limit "$limit" --json >"$out/evaluation.json"
"$bin/hermes" train eval "$out/run/model.gguf" --set free --grammar on --limit "$limit"
echo "ember: $out/run/model.gguf, figures in $out/evaluation.json"
