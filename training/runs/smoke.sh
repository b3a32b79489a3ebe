#!/bin/sh
# Minutes: a tiny model learns two tools, is exported, measured, and answers through the chat.
# Usage: smoke.sh BIN [DIR]; BIN has the programs of the environment, DIR gets what is made.
set -eu
bin=$(cd "$1" && pwd)
out=${2:-$(mktemp -d)}
tokens=${TOKENS:-2500000}
mkdir -p "$out/project"
out=$(cd "$out" && pwd)
export HERMES_V2_HOME="$out/home"
echo "smoke: $out" >&2

"$bin/hermes" train curriculum --copying --count 20000 --out "$out/copying.jsonl"
"$bin/hermes" train run --data "$out/copying.jsonl" --replay 0.4 --intent FileRead \
    --intent ListDir --count 8000 --size 1m --vocabulary 1024 --length 256 \
    --tokens "$tokens" --seed 1 --name smoke --out "$out/run"

cat >"$out/seen.jsonl" <<'LINES'
{"user": "read notes.txt", "tool": "FileRead", "args": {"path": "notes.txt"}}
{"user": "show me src/main.py", "tool": "FileRead", "args": {"path": "src/main.py"}}
{"user": "open config.toml please", "tool": "FileRead", "args": {"path": "config.toml"}}
{"user": "what does README.md say", "tool": "FileRead", "args": {"path": "README.md"}}
{"user": "list docs", "tool": "ListDir", "args": {"path": "docs"}}
{"user": "what's in src", "tool": "ListDir", "args": {"path": "src"}}
LINES
"$bin/hermes" train eval "$out/run/model.gguf" --cases "$out/seen.jsonl" --grammar on \
    --min seen="${LEAST:-0.5}"

cd "$out/project"
echo "buy milk" >notes.txt
"$bin/hermes" chat --model "$out/run/model.gguf" -m "read notes.txt" --json >"$out/turn.jsonl"
"$bin/python" - "$out/turn.jsonl" <<'PY'
import json, pathlib, sys
events = [json.loads(line) for line in pathlib.Path(sys.argv[1]).open()]
called = [(e["name"], e["arguments"]) for e in events if e["type"] == "tool_called"]
results = [e["result"] for e in events if e["type"] == "tool_finished" and e["ok"]]
assert ("FileRead", {"path": "notes.txt"}) in called, called
assert any("buy milk" in result for result in results), results
assert events[-1]["type"] == "turn_finished", events[-1]
print("smoke: it read the file and said:", events[-1]["text"][:80])
PY
