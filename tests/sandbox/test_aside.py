"""What a chat's commands see, and the sandbox that waits for them."""

import os
from pathlib import Path

import anyio
import pytest
from processes import alive, until

from hermes.errors import NotLayable, ToolFailure, Usage
from hermes.sandbox.aside import Aside
from hermes.sandbox.box import Box
from hermes.sandbox.command import Command
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.standing import run
from hermes.sandbox.view import View

ENV = clean_environment({"PATH": "/usr/bin:/bin"})


@pytest.fixture
async def aside(standing):
    async with Aside(View(ENV)) as running:
        yield running


def bash(root, text, **more):
    return Command(("bash", "-c", text), root, ENV, **more)


async def test_one_waits_after_the_first_look_and_serves_the_next(aside, tmp_path):
    await aside.look(bash(tmp_path, "true"), tmp_path)
    with anyio.fail_after(20):
        for number in range(3):
            await until(lambda: aside.waits)
            (tmp_path / "a").write_text(str(number))
            done = await aside.look(bash(tmp_path, "cat a; pwd; echo x > a"), tmp_path)
            assert done.finished.output.startswith(f"{number}{tmp_path}\n".encode())
            assert not done.changes
    assert (tmp_path / "a").read_text() == "2"


async def test_the_shell_tools_own_words(aside, tmp_path):
    text = "echo out; echo err >&2; echo two >> a; cat; pwd"
    done = await aside.change(bash(tmp_path, text, stdin="in\n"), tmp_path)
    assert done.finished.output == f"out\nerr\nin\n{tmp_path}\n".encode()
    assert (done.finished.status, done.why) == (0, "exit")
    assert [one.path for one in done.changes.deltas] == ["a"]


async def test_a_long_output_loses_its_middle_and_a_late_one_its_end(aside, tmp_path):
    ask = bash(tmp_path, "seq 100000; sleep 30", cap_bytes=1000, timeout_s=1.5)
    done = await aside.change(ask, tmp_path)
    assert done.finished.timed_out
    assert done.finished.lines == 100_000
    assert done.finished.truncated
    assert done.finished.tail.endswith(b"100000\n")


async def test_one_that_waits_keeps_the_time_of_its_command(aside, tmp_path, mark):
    await aside.look(bash(tmp_path, "true"), tmp_path)
    await until(lambda: aside.waits)
    with anyio.fail_after(20):
        done = await aside.look(bash(tmp_path, f"sleep {mark}", timeout_s=0.3), tmp_path)
    assert done.finished.timed_out
    assert alive(mark) == []


async def test_one_that_waits_for_another_project_is_not_taken(aside, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second):
        place.mkdir()
        (place / "name").write_text(place.name)
    await aside.look(bash(first, "true"), first)
    await until(lambda: aside.waits)
    done = await aside.look(bash(second, f"cat name; ls {first}"), second)
    assert done.finished.output.startswith(b"second")
    assert b"No such file" in done.finished.output


async def test_nothing_waits_on_after_the_end(standing, tmp_path):
    async with Aside(View(ENV)) as aside:
        await aside.look(bash(tmp_path, "true"), tmp_path)
        await until(lambda: aside.waits)
        waiting = set(below(os.getpid()))
        assert waiting
    await until(lambda: not waiting & set(below(os.getpid())))


def below(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found[1:]


async def test_words_that_no_program_can_be_given(aside, tmp_path):
    with pytest.raises(ToolFailure, match="null byte"):
        await aside.change(bash(tmp_path, "echo a\0b"), tmp_path)
    with pytest.raises(ToolFailure, match="outside of the project"):
        await aside.look(Command(("ls",), tmp_path.parent, ENV), tmp_path)


async def test_a_place_that_cannot_be_shown_says_what_to_do(aside):
    with pytest.raises(ToolFailure, match=r"sandbox\.bash"):
        await aside.change(Command(("true",), Path("/usr"), ENV), Path("/usr"))


async def test_what_was_named_is_shown_at_its_place_and_at_home(standing, open_folder):
    home, root = open_folder / "home", open_folder / "root"
    tools = home / "tools/bin"
    for place in (root, tools):
        place.mkdir(parents=True)
    (home / "settings").write_text("mine")
    (home / "other").write_text("hidden")
    (tools / "greet").write_text("#!/bin/sh\necho hello\n")
    (tools / "greet").chmod(0o755)
    env = clean_environment({"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(home)})
    async with Aside(View(env, ("~/settings",))) as aside:
        text = f"greet; cat ~/settings {home}/settings {home}/other; echo x > ~/settings"
        done = await aside.change(Command(("bash", "-c", text), root, env), root)
    assert done.finished.output.startswith(b"hello\nminemine")
    assert b"hidden" not in done.finished.output
    assert (home / "settings").read_text() == "mine"


def test_a_view_shows_no_home_for_its_path_and_nothing_of_hermes(open_folder):
    home, keys = open_folder, open_folder / "keys"
    keys.mkdir()
    root = home / "root"
    path = {"PATH": f"{home}:{home.parent}:{keys}:relative:/usr/bin", "HOME": str(home)}
    assert View(path, own=(keys,)).binds(root) == ()
    for text in (str(home), str(keys), f"{keys}/below", "relative", "~/nothing"):
        (keys / "below").write_text("")
        with pytest.raises(Usage, match=r"sandbox\.read"):
            View(path, (text,), (keys,)).binds(root)
    (home / "closed").mkdir(mode=0o700)
    (home / "open").mkdir(mode=0o755)
    named = View(path, ("~/closed", "~/open"), stranger=True).binds(root)
    assert {bind.source.name for bind in named if bind.closed} == {"closed"}


async def test_what_only_its_owner_reads_is_shown_too(standing, tmp_path):
    """As root it is shown as the sandbox's user's own; else the sandbox is run by its owner."""
    home, root = tmp_path / "home", tmp_path / "root"
    tools = home / "tools"
    for place in (home, tools, root):
        place.mkdir(mode=0o700)
    (home / "settings").write_text("mine\n")
    (home / "settings").chmod(0o600)
    (home / "other").write_text("hidden")
    (tools / "greet").write_text("#!/bin/sh\necho hello\n")
    (tools / "greet").chmod(0o700)
    env = clean_environment({"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(home)})
    text = f"greet; cat ~/settings {home}/settings; cat {home}/other; echo x > {tools}/greet"
    command = Command(("bash", "-c", text), root, env)
    async with Aside(View(env, ("~/settings",))) as aside:
        changed = await aside.change(command, root)
        looked = [await aside.look(command, root) for _ in range(2)]
    for done in (changed, *looked):
        assert done.finished.output.startswith(b"hello\nmine\nmine\n")
        assert b"hidden" not in done.finished.output
    assert "hello" in (tools / "greet").read_text()
    assert (tools / "greet").stat().st_uid == os.geteuid()


@pytest.fixture
def python_in(open_folder):
    """An interpreter that lies in a place of its own, and a virtual environment of it."""

    def make(venv):
        base = open_folder / "python3"
        for place in (venv / "bin", base / "bin", base / "lib/python3.12"):
            place.mkdir(parents=True)
        (base / "lib/python3.12/os.py").write_text("")
        (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3\n")
        return base

    return make


def test_a_virtual_environment_is_shown_whole_with_its_interpreter(open_folder, python_in):
    venv = open_folder / "venv"
    base = python_in(venv)
    shown = View({"PATH": f"{venv}/bin", "HOME": "/nowhere"}).binds(open_folder / "root")
    assert {bind.source for bind in shown} == {venv, base}


def test_a_projects_own_environment_has_its_interpreter_without_path(open_folder, python_in):
    root = open_folder / "root"
    base = python_in(root / ".venv")
    shown = View({"PATH": "/usr/bin", "HOME": "/nowhere"}).binds(root)
    assert {bind.source for bind in shown} == {base}


@pytest.mark.parametrize("said", ["home/.aws/x", "home/x", "home/.local/bin", "x", "x/y/z"])
def test_what_an_environment_says_shows_nothing_but_an_interpreter(open_folder, said):
    """A command could have written it."""
    home, root = open_folder / "home", open_folder / "root"
    (home / ".aws").mkdir(parents=True)
    (root / ".venv/bin").mkdir(parents=True)
    (home / ".local/lib/python3.12").mkdir(parents=True)
    (home / ".local/lib/python3.12/os.py").write_text("")
    for place in (open_folder / said, Path("/proc/self/root/x"), Path("/x")):
        (root / ".venv/pyvenv.cfg").write_text(f"home = {place}\n")
        for path in ("/usr/bin", f"{root}/.venv/bin:/usr/bin"):
            assert View({"PATH": path, "HOME": str(home)}).binds(root) == ()


@pytest.mark.parametrize(
    ("entry", "beside", "shown"),
    [
        (".pyenv/shims", "libexec", ".pyenv"),
        ("miniconda3/bin", "conda-meta", "miniconda3"),
        (".nvm/versions/node/v20/bin", "include", ".nvm/versions/node/v20"),
        (".cargo/bin", "registry", ".cargo/bin"),
        (".local/bin", "include", ".local/bin"),  # keys lie in .local/share
    ],
)
def test_programs_are_shown_with_what_they_need_and_no_more(open_folder, entry, beside, shown):
    home = open_folder
    (home / entry).mkdir(parents=True)
    for name in (beside, "lib"):
        (home / entry).with_name(name).mkdir()
    path = f"{home / entry}:{home / shown}"
    binds = View({"PATH": path, "HOME": str(home)}).binds(home / "root")
    assert {bind.source for bind in binds} == {home / shown}


def test_what_links_on_the_path_lead_to_is_shown(open_folder, python_in):
    home, root = open_folder / "home", open_folder / "root"
    tools = home / ".local/bin"
    tools.mkdir(parents=True)
    venv, packages = home / ".local/share/pipx/venvs/ruff", home / ".npm/lib/node_modules"
    base = python_in(venv)
    (packages / "eslint/node_modules/x").mkdir(parents=True)
    (home / ".ssh").mkdir()
    for name, led in {"ruff": venv / "bin/ruff", "eslint": packages / "eslint/node_modules/x/js",
                      "key": home / ".ssh/id"}.items():  # fmt: skip
        led.write_text("")
        (tools / name).symlink_to(led)
    binds = View({"PATH": f"{tools}:/usr/bin", "HOME": str(home)}).binds(root)
    assert {bind.source for bind in binds} == {tools, venv, base, packages}


async def test_where_nothing_can_be_laid_over_nothing_runs_and_it_is_told(standing):
    """What the kernel keeps there is no place for a layer, at least for root."""
    root = Path("/sys/module")
    try:
        await run(standing, Box(workspace=root, cwd=str(root)), ["/bin/true"])
        layable = True
    except NotLayable:
        layable = False
    assert not (layable and os.geteuid() == 0)
    async with Aside(View(ENV)) as aside:
        for way in (aside.change, aside.look):
            done = await way(Command(("echo", "ran"), root, ENV), root)
            assert (done is not None) is layable


async def test_git_inside_knows_whose_it_is_and_no_more(standing, tmp_path):
    home, root = tmp_path / "home", tmp_path / "root"
    for place in (home / ".config/git", root):
        place.mkdir(parents=True)
    (home / ".gitconfig").write_text(
        '[user]\n\tname = Jo \\"J\\" Doe # me\n\temail = jo@x\n[core]\n\tpager = ./x\n'
        '[url "https://token@host/"]\n\tinsteadOf = h:\n[init]\n\tdefaultBranch = trunk\n'
    )
    (home / ".config/git/ignore").write_text("*.log\n")
    env = clean_environment({"PATH": "/usr/bin:/bin", "HOME": str(home)})
    text = (
        "git init -q && touch a b.log && git add . && git commit -qm first && "
        "git log --format='%an <%ae> %D' && git ls-files && "
        "git config --global --get-regexp '^(user|core|url|init)'"
    )
    async with Aside(View(env)) as aside:
        done = await aside.change(Command(("bash", "-c", text), root, env), root)
    assert done.finished.output.decode() == (
        'Jo "J" Doe <jo@x> HEAD -> trunk\na\nuser.name Jo "J" Doe\nuser.email jo@x\n'
        "init.defaultbranch trunk\n"
    )


async def test_large_files_are_committed_as_what_stands_for_them(standing, tmp_path):
    home, root = tmp_path / "home", tmp_path / "root"
    for place in (home / "bin", root):
        place.mkdir(parents=True)
    (home / "bin/git-lfs").write_text(
        "#!/bin/sh\ncat >/dev/null; mkdir -p .git/lfs/objects/a .git/lfs/tmp\n"
        "echo large >.git/lfs/objects/a/b; echo pointer\n"
    )
    (home / "bin/git-lfs").chmod(0o755)
    (home / ".gitconfig").write_text(
        '[user]\nname = J\nemail = j\n[safe]\ndirectory = *\n[filter "other"]\nclean = ./x\n'
        '[filter "lfs"]\nclean = git-lfs clean -- %f\nrequired = true\nprocess = ./x\n'
    )
    env = clean_environment({"PATH": f"{home}/bin:/usr/bin:/bin", "HOME": str(home)})
    text = (
        "git init -q && echo '* filter=lfs' > .gitattributes && echo large > a && git add a && "
        "git commit -qm first && git show HEAD:a && git config --global --get-regexp 's.*[.]'"
    )
    async with Aside(View(env)) as aside:
        done = await aside.change(Command(("bash", "-c", text), root, env), root)
    said = done.finished.output.decode()
    assert said.startswith("pointer\n"), said
    assert "safe.directory *\nfilter.lfs.clean git-lfs clean -- %f\nfilter.lfs.required" in said
    assert "./x" not in said
    assert done.changes.refused == ()


def test_hermes_own_places_in_a_project_are_hidden(tmp_path):
    view = View({}, own=(tmp_path / "state", Path("/elsewhere")))
    assert view.hidden(tmp_path) == (tmp_path / "state",)
