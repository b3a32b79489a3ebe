"""What a tool may have answered, and what is then said of it.

The forms are those of the runtime's own tools (`hermes.tools`): plain text, `[120 lines]` first
where something was cut, `exit code N` last after a command, `error: …` for a failure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from training.curriculum.values import Values, lines

Arguments = Mapping[str, str | int]
_ERROR_SHARE = 0.1
SHOWN = 10
"""Names and lines that an answer repeats before it says `among them`."""


@dataclass(frozen=True)
class Result:
    """A tool's text, what is said of it, and the files that it named."""

    text: str
    said: str
    files: tuple[str, ...] = ()
    ok: bool = True


def result(values: Values, tool: str, arguments: Arguments) -> Result:
    """Draw a plausible result of a call; raises KeyError for a tool without a form."""
    if values.rng.random() < _ERROR_SHARE:
        error = values.expand(values.rng.choice(lines("turns/errors.txt")))
        return Result(f"error: {error}", f"That did not work: {error}.", ok=False)
    return _FORMS[tool](values, arguments)


def contents(values: Values, count: int) -> list[str]:
    """Lines of a file: prose, notes, settings or code, of one kind each."""
    rng = values.rng
    kind = rng.choice(("text", "sentence", "config", "code", "list", "text"))
    if kind == "config":
        return [
            f"{values.draw('ident')}{rng.choice((' = ', '=', ': '))}{values.draw('attrvalue')}"
            for _ in range(count)
        ]
    if kind == "code":
        heads = lines("turns/code.txt")
        return [values.expand(rng.choice(heads if count > 1 else heads[:1])) for _ in range(count)]
    if kind == "list":
        return [f"- {values.draw('task')}" for _ in range(count)]
    return [values.draw(kind) for _ in range(count)]


def of_file(path: str, lines: list[str], total: int = 0) -> Result:
    """A file's lines as FileRead shows them; `total` where only the head is shown."""
    if not lines:
        return Result("[0 lines]", f"{path} is empty.")
    body = "\n".join(lines)
    if not body.strip():
        return Result(body, f"{path} has {len(lines)} blank lines.")
    if total > len(lines):
        text = f"[{total} lines]\n{body}\n[to line {len(lines)}]"
    elif len(lines) <= 6:
        return Result(body, f"{path} says:\n{body}")
    else:
        return Result(body, f"{path} begins:\n" + "\n".join(lines[:3]))
    return Result(text, f"{path} has {total} lines. It begins:\n" + "\n".join(lines[:3]))


def _read(values: Values, arguments: Arguments) -> Result:
    rng, path = values.rng, str(arguments["path"])
    count = rng.choice((0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12, 20))
    cut = rng.random() < 0.35 and count > 3
    return of_file(path, contents(values, count), rng.randint(count + 1, 2000) if cut else 0)


def _names(values: Values, names: list[str]) -> Result:
    if not names:
        return Result("nothing found", "Nothing found.")
    rng = values.rng
    if len(names) > SHOWN or (len(names) > 4 and rng.random() < 0.3):
        total = len(names) + rng.randint(1, 400) if rng.random() < 0.7 else 0
        mark = f"[{total} found]\n" if total else ""
        return Result(mark + "\n".join(names), _among(names, total), tuple(names))
    return Result("\n".join(names), f"{len(names)} found: {', '.join(names)}", tuple(names))


def _list(values: Values, _: Arguments) -> Result:
    rng = values.rng
    count = rng.choice((0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 12, 18))
    names = {
        values.draw("base") if rng.random() < 0.7 else values.word() + "/" for _ in range(count)
    }
    return _names(values, sorted(names))


def _under(place: str) -> str:
    return "" if place == "." else place.rstrip("/") + "/"


def _among(names: list[str], total: int) -> str:
    """A long list: its count is said only where the tool said it."""
    count = f"{total} found, among them" if total else "Found among others"
    return f"{count}: {', '.join(names[:4])}"


def _glob(values: Values, arguments: Arguments) -> Result:
    rng, place, pattern = values.rng, str(arguments["path"]), str(arguments["pattern"])
    count = rng.choice((0, 1, 1, 1, 2, 2, 3, 4, 6, 9, 14))
    prefix = _under(place)
    fixed = "" if "*" in pattern or "?" in pattern else pattern
    stem = pattern.rpartition("*")[2] if pattern.startswith(("*.", "**/*.")) else ""
    names = {
        prefix
        + rng.choice(("", values.draw("folder") + "/"))
        + (fixed or (values.word() + stem if stem else values.draw("base")))
        for _ in range(count)
    }
    return _names(values, sorted(names))


def _grep(values: Values, arguments: Arguments) -> Result:
    rng, place, pattern = values.rng, str(arguments["path"]), str(arguments["pattern"])
    count = rng.choice((0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 12))
    one = "." in place.rpartition("/")[2].strip(".")
    found = []
    for _ in range(count):
        path = place if one else _under(place) + values.draw("path").lstrip("./~")
        before = rng.choice(("", f"{values.word()} ", "    "))
        line = before + pattern + rng.choice(("", f" {values.word()}", f" = {values.draw('n')}"))
        found.append((f"{path}:{rng.randint(1, 900)}", line))
    if not found:
        return Result("nothing found", "No match.")
    text = "\n".join(f"{where}: {line}" for where, line in found)
    where = [where for where, _ in found]
    files = tuple(dict.fromkeys(w.rpartition(":")[0] for w in where))
    if count > SHOWN:
        total = count + rng.randint(1, 300) if rng.random() < 0.7 else 0
        mark = f"[{total} found]\n" if total else ""
        return Result(mark + text, _among(where, total), files)
    return Result(text, f"{count} found: {', '.join(where)}", files)


def _written(_: Values, arguments: Arguments) -> Result:
    size = len(str(arguments["content"]).encode())
    return Result(
        f"wrote {size} bytes",
        f"Wrote {size} bytes to {arguments['path']}.",
        (str(arguments["path"]),),
    )


def _edited(values: Values, arguments: Arguments) -> Result:
    count = values.rng.choice((1, 1, 1, 2, 3, values.rng.randint(1, 40)))
    return Result(
        f"changed {count}", f"Changed {count} in {arguments['path']}.", (str(arguments["path"]),)
    )


def _ran(values: Values, _: Arguments) -> Result:
    rng = values.rng
    code = 0 if rng.random() < 0.75 else rng.choice((1, 1, 2, 126, 127, 128, 137, 255))
    count = rng.choice((0, 0, 1, 1, 1, 2, 2, 3, 5, 8, 15))
    kinds = ("text", "error", "sentence", "path", "n") if code else ("text", "text", "path", "n")
    printed = [values.draw(rng.choice(kinds)) for _ in range(count)]
    text = "\n".join([*printed, f"exit code {code}"])
    head = "Done." if code == 0 else f"Exit code {code}."
    if count <= 6:
        return Result(text, "\n".join([head, *printed]))
    said = f"{head} It printed, among others:\n" + "\n".join(printed[:3])
    return Result(
        f"[{count + rng.randint(1, 900)} lines]\n{text}" if rng.random() < 0.6 else text, said
    )


def _remembered(_: Values, __: Arguments) -> Result:
    return Result("remembered", "I will remember that.")


def _recalled(values: Values, _: Arguments) -> Result:
    facts = [values.draw("fact") for _ in range(values.rng.choice((0, 1, 1, 2, 3)))]
    if not facts:
        return Result("nothing found", "I have nothing about that in memory.")
    return Result("\n".join(facts), f"I remember: {'; '.join(facts)}")


def _searched(values: Values, arguments: Arguments) -> Result:
    rng, lines = values.rng, []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        role = rng.choice(("user", "assistant"))
        lines.append(
            f"{values.draw('date')} {role}: {values.draw('sentence')} {arguments['query']}"
        )
    if not lines:
        return Result("nothing found", "I found nothing about that in earlier conversations.")
    return Result("\n".join(lines), f"{len(lines)} found:\n" + "\n".join(lines))


def _scheduled(values: Values, _: Arguments) -> Result:
    job = values.rng.randint(1, 99)
    return Result(f"job {job}", f"Scheduled as job {job}.")


def _jobs(values: Values, _: Arguments) -> Result:
    count = values.rng.choice((0, 1, 2, 3))
    jobs = [f"{n}: {values.draw('when')}: {values.draw('task')}" for n in range(1, count + 1)]
    if not jobs:
        return Result("no jobs", "No jobs.")
    return Result(
        "\n".join(jobs), f"{count} {'job' if count == 1 else 'jobs'}:\n" + "\n".join(jobs)
    )


def _state(values: Values, _: Arguments) -> Result:
    rng = values.rng
    node, peers, jobs = values.word(), rng.randint(0, 40), rng.randint(0, 12)
    text = f"node {node}\npeers {peers}\njobs {jobs}\nload {rng.random():.2f}"
    return Result(text, f"Node {node} is up: {peers} peers, {jobs} jobs.")


_FORMS: Mapping[str, Callable[[Values, Arguments], Result]] = {
    "FileRead": _read,
    "ListDir": _list,
    "Glob": _glob,
    "Grep": _grep,
    "FileWrite": _written,
    "FileEdit": _edited,
    "Bash": _ran,
    "Git": _ran,
    "Remember": _remembered,
    "Recall": _recalled,
    "SessionSearch": _searched,
    "Schedule": _scheduled,
    "Jobs": _jobs,
    "Status": _state,
}
