import sys
from pathlib import Path
import anyio, tempfile
from collections import defaultdict
from training.evaluate.cases import read_cases
from training.evaluate.runner import run_cases
from training.evaluate.subject import opened, Wanted

async def main():
    model, cases, *rest = sys.argv[1:]
    grammar = "--no-grammar" not in rest
    async with opened(Wanted(model, Path(tempfile.gettempdir())/"hermes-evaluate")) as s:
        import time; t=time.monotonic()
        out = await run_cases(s.model, read_cases(Path(cases)), grammar=grammar, at_once=s.at_once)
        print("load ms", round(s.load_ms), "seconds", round(time.monotonic()-t,1))
    by = defaultdict(list)
    for a in out: by[a.case.intent].append(a.verdict)
    for k,v in [*sorted(by.items()), ("all",[a.verdict for a in out])]:
        print(f"{k:14} {len(v):4} exact {sum(x.exact for x in v)/len(v):.3f} tool {sum(x.tool for x in v)/len(v):.3f} valid {sum(x.valid for x in v)/len(v):.3f}")
    if "--show-wrong" in rest:
        for a in out:
            if not a.verdict.exact:
                print(f"{a.case.where}: {a.case.asked}\n   want {a.case.accept} {a.case.words}\n   got  {[(c.name,c.arguments) for c in a.reply.calls]} {a.reply.text!r} {a.reply.malformed} {a.error}")
anyio.run(main)
