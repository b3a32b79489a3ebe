"""The first stage: what can be said of a change without running any of it.

Paths, kinds, sizes, characters and secrets are looked at here, as bytes. Whatever has to be
parsed is parsed in a box (`reading`, `layers`). It cannot tell whether code does what it says.
"""

from collections import Counter
from typing import Final

import anyio.to_thread
import msgspec

from hermes.core.verdict import Evidence
from hermes.successor.judge.contents import look_at_contents
from hermes.successor.judge.layers import look_at_layers
from hermes.successor.judge.places import look_at_places
from hermes.successor.judge.reading import Module, read_modules, remarks_on
from hermes.successor.judge.remark import Remark
from hermes.successor.workbench import Workbench

_IDS = 50
_MARKS = 12


class Lint:
    """Stage `lint`: adds its person-only reasons to the bench's marks.

    Its record is JSON: `remarks`, and of each module what was read (`Module`).
    """

    name: Final = "lint"
    decides: Final = True

    async def judge(self, bench: Workbench) -> Evidence:
        """Look from the cheapest to the dearest; what is refused ends it early."""
        places = (bench.parent, bench.candidate, bench.deltas)
        remarks = await anyio.to_thread.run_sync(look_at_places, *places)
        modules: dict[str, Module] = {}
        if not _refused(remarks):
            remarks += await anyio.to_thread.run_sync(look_at_contents, bench.deltas)
        if not _refused(remarks):
            modules = await read_modules(bench)
            remarks += [remark for one in modules.values() for remark in remarks_on(one)]
        if not _refused(remarks):
            remarks += await look_at_layers(bench)
        bench.marks += marks(remarks)
        record = msgspec.json.encode({"remarks": remarks, "modules": list(modules.values())})
        return evidence(remarks, await bench.keep(record))


def marks(remarks: list[Remark]) -> list[str]:
    """Why only a person may adopt it: one sentence a rule, with the first place and the number."""
    persons = [one for one in remarks if one.weight == "person"]
    found: list[str] = []
    for (rule, says), count in Counter((one.rule, one.says) for one in persons).items():
        first = next(one for one in persons if (one.rule, one.says) == (rule, says))
        more = f" and {count - 1} more" if count > 1 else ""
        found.append(f"{says} ({first.place}{more})")
    if len(found) <= _MARKS:
        return found
    return [*found[:_MARKS], f"{len(found) - _MARKS} more reasons stand in the record"]


def evidence(remarks: list[Remark], record: str) -> Evidence:
    """The stage's word."""
    refused = _refused(remarks)
    if not refused:
        told = sum(one.weight == "told" for one in remarks)
        persons = sum(one.weight == "person" for one in remarks)
        says = f"nothing is refused; {persons} for a person only, {told} to look at"
        return Evidence("lint", "pass", says, record=record)
    first = refused[0]
    place = f"{first.place}: " if first.path else ""
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    ids = tuple(dict.fromkeys(f"{one.rule} {one.place}".strip() for one in refused))[:_IDS]
    return Evidence("lint", "fail", f"{place}{first.says}{more}", ids, record=record)


def _refused(remarks: list[Remark]) -> list[Remark]:
    return [one for one in remarks if one.weight == "refused"]
