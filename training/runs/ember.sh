#!/bin/sh
# Makes Ember: data, training, export, evaluation; one script for processors and GPUs.
# Usage: ember.sh BIN. Dials are variables: SIZE, MINUTES, COUNT, SEED, BRIEF, OUT, LIMIT, GPUS.
# Two rounds, each with a rate that falls: short requests, then whole conversations; then all of it
# again with later phrasings and many exchanges, deep in the window. The same words go on with a
# run that was stopped.
set -eu
bin=$(cd "${1:-.venv/bin}" && pwd)
size=${SIZE:-6m}
minutes=${MINUTES:-270}
count=${COUNT:-400000}
seed=${SEED:-5}
brief=${BRIEF:-0.57} # share of the first round that goes to short requests
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
data deep 23 --count $((count * 4 / 10)) --brief 0.7 --long 0.07 --like "$out/brief"
data copying 7 --count 60000 --copying --like "$out/brief"

launch="$bin/python -m"
[ "$gpus" -lt 2 ] || launch="$bin/python -m torch.distributed.run --nproc-per-node $gpus -m"
stretch() { # SHARD MINUTES UNTIL DECAY PHASES
    $launch training.trainer --shard "$out/$1" --minutes "$2" --until "$3" --decay "$4" \
        --phases "$5" --warm "$out/copying" --warm-until 0.02 --replay "$out/copying" \
        --replay-share 0.07 --out "$out/run" --size "$size" --tokens 6144 --seed "$seed" --name ember
}
first=$((minutes * 57 / 100))
phases="256:$brief,768:0.8,1024:0.95,2048:1"
stretch brief "$first" "$brief" 0.6 "$phases"
stretch whole "$first" 1 0.6 "$phases"
phases=256:0.76,768:0.88,1024:0.94,2048:1
stretch whole "$minutes" 0.69 0.42 "$phases"
stretch deep "$minutes" 1 0.42 "$phases"

"$bin/hermes" train eval "$out/run/model.gguf" --limit "$limit" --json >"$out/evaluation.json"
"$bin/hermes" train eval "$out/run/model.gguf" --set free --grammar on --limit "$limit"
echo "ember: $out/run/model.gguf, figures in $out/evaluation.json"
