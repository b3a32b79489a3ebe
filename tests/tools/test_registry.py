import msgspec
import pytest

from hermes.errors import Usage
from hermes.tools.builtin import Programs, builtin_tools
from hermes.tools.files import FILE_READ, LIST_DIR
from hermes.tools.more import more_tools
from hermes.tools.recall import memory_tools, session_search
from hermes.tools.registry import Registry
from hermes.tools.schema import spec
from hermes.tools.status import status


class Shelf:
    def __init__(self):
        self.kept = []
        self.content = ""

    async def add(self, project_hash, memory_type, content, source_session_id):
        self.kept.append((project_hash, memory_type, content, source_session_id))
        return 1

    async def recall(self, project_hash, query, limit):
        return [Found(content) for project, _, content, _ in self.kept if query in content]

    async def messages(self, query, *, limit):
        return [Found(content) for _, _, content, _ in self.kept]


class Found:
    role = "user"
    at = 1_700_000_000_000

    def __init__(self, content):
        self.content = self.snippet = content


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def all_tools(shell, env, shelf):
    async def lines(_):
        return ["node here", "load 0.1"]

    return (
        *builtin_tools(shell, env, Programs("bash", None)),
        *memory_tools(shelf, lambda root: f"project {root.name}"),
        session_search(shelf),
        status(lines),
    )


async def test_names_and_arguments_are_those_that_models_know(all_tools):
    made = {tool.name: spec(tool, terse=False).parameters for tool in all_tools}
    assert {name: tuple(schema["properties"]) for name, schema in made.items()} == {
        "FileRead": ("path", "offset", "limit"),
        "ListDir": ("path",),
        "Grep": ("pattern", "path", "limit"),
        "Glob": ("pattern", "path"),
        "FileWrite": ("path", "content"),
        "FileEdit": ("path", "old", "new"),
        "Bash": ("command", "timeout"),
        "Git": ("command",),
        "Remember": ("content",),
        "Recall": ("query",),
        "SessionSearch": ("query",),
        "Status": (),
    }
    assert made["Grep"]["required"] == ["pattern"]
    assert made["FileRead"]["properties"]["limit"] == {"type": "integer", "description": "lines"}


async def test_all_schemas_are_small_and_flat(all_tools):
    registry = Registry(all_tools)
    full = msgspec.json.encode(registry.specs())
    terse = msgspec.json.encode(registry.specs(terse=True))
    assert len(full) < 2_400
    assert len(terse) < 1_400
    for word in (b"$", b"title", b"default"):
        assert word not in full
    assert b"timeout" not in terse
    assert b"description" not in terse.replace(b'"description":""', b"")
    assert all(len(tool.description) <= 60 for tool in all_tools)


def test_tools_come_and_go():
    registry = Registry([FILE_READ])
    before = registry.revision
    registry.add(LIST_DIR)
    assert registry.names() == ("FileRead", "ListDir")
    assert registry.tools() == (FILE_READ, LIST_DIR)
    with pytest.raises(Usage, match="already"):
        registry.add(LIST_DIR)
    registry.remove("FileRead")
    assert registry.get("FileRead") is None
    assert registry.revision == before + 2
    with pytest.raises(Usage, match="no tool"):
        registry.remove("FileRead")


async def test_memory_and_status(bench, all_tools, shelf):
    bench.use(*all_tools)
    assert (await bench("Recall", query="tea")).text == "nothing found"
    assert (await bench("Remember", content=" likes\ntea ")).text == "remembered"
    assert shelf.kept == [("project project", "decision", "likes\ntea", "s")]
    assert (await bench("Recall", query="tea")).text == "likes tea"
    assert (await bench("SessionSearch", query="x")).text == "2023-11-14 user: likes tea"
    assert (await bench("Status")).text == "node here\nload 0.1"
    assert not (await bench("Remember", content=" ")).ok
    assert not (await bench("Remember", content="x" * 5_000)).ok


async def test_more_tools_describes_and_calls(bench, all_tools, journal, root):
    bench.use(*all_tools)
    bench.use(more_tools(bench.registry))
    (root / "a.txt").write_text("hello")
    listed = (await bench("MoreTools")).text
    assert "Status: State of this node." in listed
    assert "FileRead" not in listed
    told = (await bench("MoreTools", name="FileRead")).text
    assert told.startswith("Read a text file.\n{")
    assert '"offset"' in told
    result = await bench("MoreTools", name="FileRead", arguments={"path": "a.txt"})
    assert (result.name, result.text) == ("FileRead", "hello")
    assert journal.said[-1][:2] == ("finished", "3")
    assert ("called", "3", "FileRead", "read") in journal.said
    written = await bench("MoreTools", name="FileWrite", arguments='{"path":"b","content":"x"}')
    assert written.text == "wrote 1 bytes"
    assert ("called", "4", "FileWrite", "write") in journal.said
    assert "no such tool Nope" in (await bench("MoreTools", name="Nope")).text
    nested = {"name": "MoreTools", "arguments": {"name": "FileRead", "arguments": {}}}
    assert not (await bench("MoreTools", **nested)).ok
