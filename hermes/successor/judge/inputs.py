"""What a version is asked, by chance from a seed: the same seed asks the same, however fast.

Level 0 is chance alone; level 1 adds what lies at the edges of what is known: ends of pages,
awkward letters, separators of commands, stops in the middle, tools that fail.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hermes.successor.judge.drive import Call, Reaction

Json = Any
_STEMS = ("lorem", "river", "stone", "Ember", "mesh", "proof", "quiet", "lamp", "grün", "naïve")
_EDGES = (
    "ß", "SS", "ss", "é", "e\u0301", "İ", "i\u0307", "ﬁ", "ﬁx", "Ω", "ω", "ς", "Σ", "\u202eabc",
    "a\u200bb", "😀", "한", "x\ty", "a\nb", "''", '"', "%", "_", "*", "\\", "-", "NEAR", "AND",
    "ÅNGSTRÖM", "ångström",
)  # fmt: skip
_HARMLESS = ("ls", "pwd", "cat notes.txt", "git status", "echo hello")
HARMFUL = (
    "rm -rf notes.txt", "touch made", "mv notes.txt gone", "git push", "sh -c 'touch made'",
    "echo x > made", "sudo ls", "python3 -c 'open(\"made\",\"w\")'", "cp notes.txt made",
    "chmod 777 notes.txt", "dd of=made", "tee made",
)  # fmt: skip
SEPARATORS = (";", "\n", " && ", " || ", " | ", " & ", "; ", "\n\n", " |& ")
_STEADY = tuple(one for one in SEPARATORS if "&" not in one.replace("&&", ""))  # no races
_MISSING = ({"name": "NoSuchTool", "arguments": {}}, {"name": "FileRead", "arguments": "{"})
_NEW = 0.12
_AGAIN = 0.06
_QUESTIONS = 40
_FIRST = 0.5
_LONG_S = 20
_Drawn = tuple[tuple[Json, ...], dict[str, Json], Mapping[str, Reaction]]
"""A script, further arguments, and what is done at which event."""


@dataclass(frozen=True)
class Op:
    """One call with the script that its model plays; `@name` stands for a conversation's id."""

    call: Call
    script: tuple[Json, ...] | None = None
    name: str = ""
    says: str = ""

    @property
    def changes(self) -> bool:
        """Whether something is different afterwards: such calls go one after the other."""
        return self.script is not None


@dataclass
class Known:
    """What the judge knows of the state: acknowledged texts, and sizes in messages."""

    said: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def take(self, op: Op, result: Json) -> None:
        """Learn from the parent's answer."""
        if not isinstance(result, dict):
            return
        if op.changes and "turn_id" in result:
            said = self.said.setdefault(op.name, [])
            if op.says not in said:  # each has a word of its own
                said.append(op.says)
            self.sizes.setdefault(op.name, 0)
        name = str(op.call.arguments.get("conversation_id", ""))[1:]
        if isinstance(total := result.get("total"), int) and name in self.sizes:
            self.sizes[name] = total


class Inputs:
    """Draws rounds of calls; `level` 0 or 1."""

    def __init__(self, chance: random.Random, level: int = 1) -> None:
        self._chance = chance
        self._level = level
        self._count = 0
        self._last: Op | None = None
        self.known = Known()

    def round(self) -> tuple[list[Op], list[Op]]:
        """Turns, which go one after the other, and then questions, all at once."""
        turns = [self._turn() for _ in range(self._chance.randrange(2, 6))]
        return turns, [self._question() for _ in range(_QUESTIONS)]

    def _turn(self) -> Op:
        draw, known = self._chance, self.known
        if self._level and self._last and draw.random() < _AGAIN:
            return self._last  # asking twice is asking once
        self._count += 1
        fresh = not known.said or draw.random() < _NEW
        name = f"c{self._count}" if fresh else self._somewhere()
        text = f"{self._text()} u{self._count}w"  # a word of its own, to be found by
        arguments: dict[str, Json] = {"text": text, "turn_id": self._uuid()}
        arguments["script"] = f"s{self._count}"
        if not fresh:
            arguments["conversation_id"] = f"@{name}"
        script, more, react = self._script()
        op = Op(Call("runner.chat", arguments | more, react), script, name, text)
        self._last = replace(op, call=replace(op.call, react={})) if not fresh else None
        return op

    def _somewhere(self) -> str:
        """A conversation; the first most often, since what grows has to become large."""
        names = list(self.known.said)
        return names[0] if self._chance.random() < _FIRST else self._chance.choice(names)

    def _script(self) -> _Drawn:
        kinds = {self._plain: 12, self._reads: 3, self._commands: 3, self._writes: 1}
        if self._level:
            kinds |= {self._asks: 1, self._stopped: 1, self._fails: 1}
        (kind,) = self._chance.choices(list(kinds), list(kinds.values()))
        return kind()

    def _plain(self) -> _Drawn:
        return ({"text": self._text()},), {}, {}

    def _reads(self) -> _Drawn:
        tools = [
            _tool("ListDir", path="."),
            _tool("FileRead", path="notes.txt"),
            _tool("Glob", pattern="*.txt"),
            _tool("Grep", pattern=self._chance.choice(_STEMS), path="."),
            _tool("SessionSearch", query=self._word()),
            _tool("FileRead", path="absent.txt"),
        ]
        if self._level:
            tools += _MISSING
        calls = self._chance.sample(tools, self._chance.randrange(1, 5))
        return (_line(calls, self._text()), {"text": self._text()}), self._mode(), {}

    def _commands(self) -> _Drawn:
        commands = [self._command() for _ in range(self._chance.randrange(1, 4))]
        calls = [_tool("Bash", command=command) for command in dict.fromkeys(commands)]
        return (_line(calls), {"text": self._text()}), self._mode(), {}

    def _command(self) -> str:
        draw = self._chance
        separators = _STEADY if self._level else (" ; ",)
        words = [draw.choice(HARMFUL if draw.random() < 0.7 else _HARMLESS)]  # noqa: PLR2004
        for _ in range(draw.randrange(3)):
            words += [draw.choice(separators), draw.choice(_HARMLESS + HARMFUL)]
        return "".join(words)

    def _writes(self) -> _Drawn:
        path = f"w{self._chance.randrange(6)}.txt"
        calls = [
            _tool("FileWrite", path=path, content=f"{self._text()}\n"),
            _tool("FileEdit", path="notes.txt", old="line 1", new="line 1"),
        ]
        return (_line(calls[:1]), _line(calls[1:]), {"text": "ok"}), self._mode(), {}

    def _asks(self) -> _Drawn:
        calls = [_tool("FileWrite", path="asked.txt", content=self._word())]
        do: Reaction = self._chance.choice(("yes", "no", "stop"))
        more = {"mode": "ask", "interactive": True}
        script = (_line(calls, self._text()), {"text": self._text()})
        return script, more, {"approval_asked": do}

    def _stopped(self) -> _Drawn:
        """At an instant at which one thing alone is under way, or the parent differs too."""
        slow = {"text": self._text(), "delay_s": _LONG_S}
        listing = _line([_tool("ListDir", path=".")], "first")
        sleeping = _line([_tool("Bash", command=f"sleep {_LONG_S}")])
        asks = {"mode": "ask", "interactive": True}
        kinds: list[_Drawn] = [
            ((slow,), {}, {"turn_started": "stop"}),
            ((listing, slow), {}, {"tool_finished": "stop"}),
            ((sleeping,), asks, {"approval_asked": "yes", "tool_started": "stop"}),
        ]
        return self._chance.choice(kinds)

    def _fails(self) -> _Drawn:
        if self._chance.random() < 0.5:  # noqa: PLR2004 - one half
            return ({"error": self._text()},), {}, {}
        return (_line([_tool("ListDir", path=".")]),), {"max_steps": 1}, {}

    def _mode(self) -> dict[str, Json]:
        return {"mode": self._chance.choice(("auto", "ask", "read-only"))}

    def _question(self) -> Op:
        draw, known = self._chance, self.known
        name = self._somewhere() if known.said else ""
        here = {"conversation_id": f"@{name}"} if name else {}
        kind = draw.choices(
            ("page", "list", "search", "export", "status", "wrong"), (6, 2, 6, 1, 1, 1)
        )[0]
        match kind:
            case "page":
                return _ask("history", here | self._page(known.sizes.get(name, 0)))
            case "list":
                return _ask("history", self._page(len(known.said)))
            case "search":
                more = here if draw.random() < 0.3 else {}  # noqa: PLR2004 - a share
                limit = draw.choice((0, 1, 2, 20, 1000) if self._level else (20,))
                return _ask("search", {"query": self._query(), "limit": limit} | more)
            case "export" if name:
                form = draw.choice(("json", "markdown"))
                return _ask("export", here | {"format": form})
            case "status":
                return _ask("status", {})
        return _ask(
            "history", {"conversation_id": draw.choice(("zzzzzz", "x", "' OR 1=1", "é" * 8))}
        )

    def _page(self, size: int) -> dict[str, int]:
        draw = self._chance
        if not self._level or draw.random() < 0.4:  # noqa: PLR2004 - a share
            return {"offset": draw.randrange(40), "limit": draw.randrange(40)}
        limit = draw.choice((0, 1, 2, 5, size, size + 1))
        edges = (0, size - limit, size - limit - 1, size - limit + 1, size, size - 1)
        return {"offset": max(0, draw.choice(edges)), "limit": max(0, limit)}

    def _query(self) -> str:
        draw = self._chance
        if draw.random() < 0.3 and self._count:  # noqa: PLR2004 - a share
            return f"u{draw.randrange(1, self._count + 1)}w"
        words = [self._word() for _ in range(draw.choice((1, 1, 2)))]
        return " ".join(draw.choice((word, word.upper(), word.lower())) for word in words)

    def _word(self) -> str:
        if self._level and self._chance.random() < 0.3:  # noqa: PLR2004 - a share
            return self._chance.choice(_EDGES)
        return self._chance.choice(_STEMS)

    def _text(self) -> str:
        return " ".join(self._word() for _ in range(self._chance.randrange(1, 9)))

    def _uuid(self) -> str:
        text = f"{self._chance.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-8{text[17:20]}-{text[20:]}"


def script_text(lines: Sequence[Json]) -> str:
    """A script as its file holds it."""
    return "".join(json.dumps(line) + "\n" for line in lines)


def _ask(tool: str, arguments: Mapping[str, Json]) -> Op:
    return Op(Call(f"runner.{tool}", arguments))


def _tool(name: str, **arguments: Json) -> dict[str, Json]:
    return {"name": name, "arguments": arguments}


def _line(calls: Sequence[Json], text: str = "") -> dict[str, Json]:
    return {"text": text, "tool_calls": list(calls)}
