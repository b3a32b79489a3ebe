"""Requests that lean on what came before, and questions about what a file holds."""

from collections.abc import Callable, Mapping

from hermes.prompt.sections import IDENTITY
from training.chat import Message
from training.curriculum.results import Arguments, Result, contents
from training.curriculum.values import Values, lines

Next = tuple[str, str, dict[str, str | int]] | None


def said(values: Values, kind: str, bound: dict[str, str] | None = None) -> str:
    """One of the ways of `turns/<kind>.txt` to say something."""
    return values.expand(values.rng.choice(lines(f"turns/{kind}.txt")), bound)


def _nth() -> tuple[str, ...]:
    return lines("turns/nth.txt")


def _again(tool: str, values: Values, given: Arguments, found: Result) -> Next:
    return None if found.ok else (said(values, "again"), tool, dict(given))


def _after_read(values: Values, given: Arguments, found: Result) -> Next:
    if not found.ok and values.rng.random() < 0.6:
        name = str(given["path"]).rstrip("/").rpartition("/")[2]
        return said(values, "find"), "Glob", {"pattern": name, "path": "."}
    bound: dict[str, str] = {}
    text = said(values, "also", bound)
    return text, "FileRead", {"path": bound["path"]}


def _after_names(values: Values, given: Arguments, found: Result) -> Next:
    rng = values.rng
    if not found.files:
        return _again("ListDir" if "pattern" not in given else "Glob", values, given, found)
    at = rng.randrange(min(len(found.files), len(_nth())))
    name = found.files[at]
    if "pattern" not in given and given["path"] != ".":
        name = f"{str(given['path']).rstrip('/')}/{name}"
    if len(found.files) == 1:
        which = rng.choice(("it", "that one", "that file", "it please", "the file"))
    else:
        which = values.choose(_nth()[at]) if rng.random() < 0.6 else found.files[at]
    tool = "ListDir" if name.endswith("/") else "FileRead"
    return f"{said(values, 'open')} {which}", tool, {"path": name}


def _after_grep(values: Values, given: Arguments, found: Result) -> Next:
    rng, bound = values.rng, dict[str, str]()
    choice = rng.random()
    if found.files and choice < 0.4:
        at = rng.randrange(min(len(found.files), len(_nth())))
        which = "that file" if len(found.files) == 1 else values.choose(_nth()[at])
        return f"{said(values, 'open')} {which}", "FileRead", {"path": found.files[at]}
    if choice < 0.7:
        text = said(values, "in", bound)
        return text, "Grep", {"pattern": given["pattern"], "path": bound["dir"]}
    text = said(values, "for", bound)
    return text, "Grep", {"pattern": bound["pat"], "path": given["path"]}


def _after_change(values: Values, given: Arguments, found: Result) -> Next:
    if not found.ok:
        return None
    return said(values, "back"), "FileRead", {"path": given["path"]}


FOLLOWING: Mapping[str, Callable[[Values, Arguments, Result], Next]] = {
    "FileRead": _after_read,
    "ListDir": _after_names,
    "Glob": _after_names,
    "Grep": _after_grep,
    "FileWrite": _after_change,
    "FileEdit": _after_change,
    "Bash": lambda values, given, found: _again("Bash", values, given, found),
    "Git": lambda values, given, found: _again("Git", values, given, found),
    "Remember": lambda *_: None,
    "Recall": lambda *_: None,
    "SessionSearch": lambda *_: None,
    "Schedule": lambda values, given, found: _again("Schedule", values, given, found),
    "Jobs": lambda *_: None,
    "Status": lambda *_: None,
}


def about_file(values: Values) -> list[Message]:
    """A question whose answer stands in one line of a file."""
    rng, path = values.rng, values.draw("path")
    joint = rng.choice((" = ", "=", ": "))
    keys = list(dict.fromkeys(values.draw("ident") for _ in range(rng.randint(2, 7))))
    held = {key: values.draw("attrvalue") for key in keys}
    shown = [f"{key}{joint}{value}" for key, value in held.items()]
    if rng.random() < 0.3:
        shown = contents(values, rng.randint(1, 3)) + shown
    key = rng.choice(keys)
    asked = (
        values.choose(rng.choice(lines("turns/asked.txt")))
        .replace("{key}", key)
        .replace("{path}", path)
    )
    call: Message = {
        "role": "assistant",
        "tool_calls": [{"name": "FileRead", "arguments": {"path": path}}],
    }
    return [
        {"role": "user", "content": asked},
        call,
        {"role": "tool", "content": "\n".join(shown)},
        {"role": "assistant", "content": f"{key} in {path} is {held[key]}."},
    ]


def from_marker(values: Values) -> list[Message]:
    """A question that a memory marker in the prompt answers."""
    rng = values.rng
    subject = values.draw(rng.choice(("attr", "topicword")))
    owner = rng.choice(("my", "the"))
    value = values.draw("attrvalue")
    others = [values.draw("fact") for _ in range(rng.choice((0, 1, 2)))]
    facts = [*others, f"{owner} {subject} is {value}"]
    rng.shuffle(facts)
    marks = [
        f"[MEMORY MARKER] Decision: {f}. Source: session-{rng.getrandbits(48):012x}." for f in facts
    ]
    asked = said(values, "marked", {"owner": owner, "subject": subject})
    return [
        {"role": "system", "content": "\n".join([IDENTITY, *marks])},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": f"I remember: {owner} {subject} is {value}."},
    ]
