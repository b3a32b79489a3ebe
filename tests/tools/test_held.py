"""Bash in the sandbox: what it did is seen, checked, journaled and made, all of it or none."""

import contextlib
import os
import socket

import anyio
import pytest
from processes import alive, until

from hermes.core.tool import Place
from hermes.errors import Usage
from hermes.policy.outside import read_outside
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.view import View
from hermes.tools.held import Held, HeldBash, Terms, open_bash
from hermes.tools.hooks import Admission


@pytest.fixture
def ask(bench, held):
    return bench.use(held)


async def test_what_it_did_is_journaled_and_made(ask, root, journal):
    (root / "a").write_text("one\n")
    done = await ask(
        "Bash", command="echo two >> a; mkdir -p d/e; echo n > d/e/f; ln -s a l; cat a"
    )
    assert (done.text, done.ok) == ("one\ntwo\nexit code 0", True)
    assert (root / "a").read_text() == "one\ntwo\n"
    assert (root / "d/e/f").read_text() == "n\n"
    assert (root / "l").readlink().name == "a"
    assert journal.of("1") == [
        "called", "admit", "started", "settle", "intent", "outcome", "finished",
    ]  # fmt: skip
    assert journal.said[4] == ("intent", "1", ["a", "f"])
    assert "+two" in journal.diffs["1"]


async def test_a_failed_command_has_done_what_it_did(ask, root):
    done = await ask("Bash", command="echo half > a; exit 3")
    assert (done.text, done.ok) == ("exit code 3", True)
    assert (root / "a").read_text() == "half\n"


class Bare:
    """A machine without a sandbox."""

    async def holds(self):
        return False


async def test_where_there_is_no_sandbox_nobody_asks_to_leave_it(root, tmp_path):
    asked = HeldBash(command="make", outside="it needs the network")
    place = Place(cwd=root, root=root)
    held = Held(None, Bare(), {}, "bash", Terms(tmp_path), read_outside(()))
    assert await anyio.to_thread.run_sync(held.leaves, asked, place) == ""


async def test_links_and_modes_alone_are_a_write_too(ask, root, journal):
    (root / "a").write_text("")
    await ask("Bash", command="ln -s a l; chmod 750 a; mkdir d")
    assert (root / "l").is_symlink()
    assert (root / "a").stat().st_mode & 0o777 == 0o750
    assert (root / "d").is_dir()
    assert ("intent", "1", []) in journal.said


async def test_nothing_changed_is_no_write(ask, journal):
    assert (await ask("Bash", command="sh -c 'echo x > /tmp/x; cat /tmp/x'")).ok
    assert "intent" not in journal.of("1")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("git init -q .; echo x > .git/hooks/pre-commit", ".git"),
        ("ln -s /etc/passwd out", "out"),
        ("mkfifo p", "p"),
        ("mkdir .hermes-v2; echo x > .hermes-v2/policy.toml", ".hermes-v2/policy.toml"),
    ],
)
async def test_what_would_act_later_is_refused_and_told(ask, root, journal, text, path):
    done = await ask("Bash", command=f"echo harmless > also; {text}")
    assert not done.ok
    assert f"error: {path}" in done.text or path in done.text
    assert done.text.endswith("nothing that it did was kept")
    assert list(root.iterdir()) == []
    assert "intent" not in journal.of("1")


async def test_out_of_time_nothing_is_kept(ask, root):
    done = await ask("Bash", command="echo half > a; echo so far; sleep 30", timeout="1")
    assert not done.ok
    assert done.text.startswith("so far\nerror: timed out after 1 s")
    assert done.text.endswith("nothing that it did was kept")
    assert not (root / "a").exists()


async def test_an_edit_in_the_meantime_is_not_lost(ask, root, journal):
    (root / "a").write_text("one\n")
    intend = journal.intent

    async def edited(call, tool, changes):
        await anyio.Path(root / "a").write_text("somebody else's\n")
        return await intend(call, tool, changes)

    journal.intent = edited
    done = await ask("Bash", command="echo two >> a; echo new > b")
    assert not done.ok
    assert "a changed since" in done.text
    assert (root / "a").read_text() == "somebody else's\n"
    assert not (root / "b").exists()
    assert ("outcome", "1", False) in journal.said


async def test_cancelled_nothing_is_left_and_nothing_done(ask, root):
    number = f"4{int.from_bytes(os.urandom(4), 'big')}"
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            text = f"echo x > a; setsid sleep {number} & sleep {number}"
            group.start_soon(ask.step, ("Bash", {"command": text}))
            await until(lambda: len(alive(f"sleep\0{number}")) == 2)
            group.cancel_scope.cancel()
    with anyio.fail_after(20):  # killed, though the kernel may still be at it
        await until(lambda: alive(number) == [])
    assert list(root.iterdir()) == []


async def test_it_sees_the_project_and_no_home(ask, root, tmp_path):
    (tmp_path / "key").write_text("hunter2")
    done = await ask("Bash", command=f"echo $HOME; ls -A $HOME; sh -c 'cat {tmp_path}/key'; pwd")
    assert "hunter2" not in done.text
    assert done.text.startswith("/box/home\n")
    assert str(root) in done.text


async def test_a_look_outside_that_was_allowed_sees_what_is_there(ask, journal, tmp_path):
    (tmp_path / "key").write_text("shown\n")

    async def door(_call, _changes):
        return Admission(allowed=True)

    journal.door = door
    assert (await ask("Bash", command=f"cat {tmp_path}/key")).text == "shown\nexit code 0"


async def test_a_program_that_the_project_has_runs_only_inside(bench, shell, standing, root):
    """Put there by a command, it would else run with the next look outside that is allowed."""
    env = clean_environment({"PATH": f"{root}/bin:relative:/usr/bin:/bin"})
    terms = Terms(root.with_name("record"))
    async with open_bash(shell, View(env), "bash", terms) as tool:
        ask = bench.use(tool)
        text = "mkdir bin; printf '#!/bin/sh\\necho planted' > bin/cat; chmod +x bin/cat"
        await ask("Bash", command=text)
        assert (await ask("Bash", command="cat bin/cat")).text.startswith("planted")
        (root.parent / "key").write_text("mine\n")
        assert (await ask("Bash", command=f"cat {root.parent}/key")).text == "mine\nexit code 0"


async def test_of_many_files_the_first_are_shown(ask, journal):
    await ask("Bash", command="for n in $(seq 150); do : > f$n; done")
    assert journal.diffs["1"].endswith("[50 more files]")
    assert journal.diffs["1"].count("+++") == 100


async def test_a_repository_is_taken_back_whole_or_not(ask, root, journal):
    pack = root / ".git/objects/pack/pack-1.pack"
    pack.parent.mkdir(parents=True)
    pack.write_bytes(bytes(70 << 20))
    done = await ask("Bash", command="cd .git/objects/pack; mv pack-1.pack pack-2.pack; "
                     "echo new > pack-3.pack; echo n > ../../../n")  # fmt: skip
    assert done.text.startswith("exit code 0\nnote: /undo does not bring back: pack-1.pack, pack-2")
    assert ("intent", "1", ["n"]) in journal.said


async def test_a_name_that_is_no_text_is_made_and_not_kept(ask, root, journal):
    done = await ask("Bash", command="echo x > $'\\xff'; echo y > b")
    assert done.text == "exit code 0\nnote: /undo does not bring back: \\udcff"
    assert (root / os.fsdecode(b"\xff")).read_text() == "x\n"
    assert ("intent", "1", ["b"]) in journal.said


async def test_a_directory_that_is_not_renamed_is_told(ask, root):
    (root / "d").mkdir()
    done = await ask("Bash", command='python3 -c \'import os; os.rename("d", "e")\'')
    assert done.text.endswith("note: a directory of the project is not renamed in one step here; "
                              "use mv")  # fmt: skip
    assert (await ask("Bash", command="mv d e")).text == "exit code 0"


async def test_reading_sees_each_edit_at_once(ask, root):
    for number in range(4):
        (root / "a").write_text(f"{number}\n")
        assert (await ask("Bash", command="cat a")).text == f"{number}\nexit code 0"
        (root / "a").unlink()


@pytest.mark.parametrize("network", [False, True])
async def test_the_network_is_there_only_when_it_is_wanted(
    bench, shell, env, standing, journal, network
):
    command = "exec 3<>/dev/tcp/127.0.0.1/{0} && echo reached"
    terms = Terms(bench.context.place.root.with_name("record"), network)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with open_bash(shell, View(env), "bash", terms) as tool:
            done = await bench.use(tool)("Bash", command=command.format(port))
    assert ("reached" in done.text) is network
    assert ("intent" in journal.of("1")) is network


@pytest.fixture
async def ask_with(bench, shell, env, standing):
    """Opens the tool with patterns of what runs outside."""
    record = bench.context.place.root.with_name("record")
    async with contextlib.AsyncExitStack() as stack:

        async def use(*outside):
            terms = Terms(record, outside=outside)
            tool = await stack.enter_async_context(open_bash(shell, View(env), "bash", terms))
            return bench.use(tool)

        yield use


async def test_what_the_person_names_runs_outside(ask_with, root, journal):
    ask = await ask_with("touch made:*")
    done = await ask("Bash", command="touch made ../beside; cat /proc/self/cgroup >/dev/null")
    assert not (root.parent / "beside").exists()  # the rest of it is not named
    done = await ask("Bash", command="touch made ../beside")
    assert done.text == "exit code 0"
    assert (root.parent / "beside").exists()
    assert journal.of("2") == ["called", "admit", "started", "intent", "outcome", "finished"]
    await ask("Bash", command="mkdir sub")
    await ask("Bash", command="cd sub && touch made ../../too")
    assert (root.parent / "too").exists()
    await ask("Bash", command="touch made $(echo ../../never)")
    assert not (root.parent / "never").exists()


async def test_a_pattern_that_cannot_be_read_is_told_at_once(ask_with):
    with pytest.raises(Usage, match=r"sandbox\.outside.*a \| b"):
        await ask_with("a | b")


async def test_a_lack_of_network_or_place_is_told_and_nothing_is_guessed(ask, env):
    done = await ask("Bash", command="getent hosts a.example.org; false")
    assert "sandbox.outside" not in done.text
    done = await ask("Bash", command="python3 -c 'import urllib.request as r;"
                     ' r.urlopen("http://a.example.org")\'')  # fmt: skip
    assert done.text.count("sandbox.outside") == 1
    assert "no network" in done.text
    done = await ask("Bash", command="sh -c 'echo x > /usr/made'")
    assert "only the project can be written here" in done.text
    done = await ask("Bash", command="echo Network is unreachable > said; cat said")
    assert "sandbox.outside" not in done.text  # it did not fail


async def test_what_policy_does_not_let_out_is_not_made(ask, root, journal):
    journal.last = Admission(allowed=False, text="error: denied by policy: the user rule x")
    done = await ask("Bash", command="echo said; echo x > a; ln -s a l; mkdir d")
    assert done.text == (
        "said\nexit code 0\nerror: denied by policy: the user rule x; nothing that it did was kept"
    )
    assert list(root.iterdir()) == []
    assert ("settle", "1", ["a", "d", "l"]) in journal.said
    assert "intent" not in journal.of("1")


async def test_too_much_is_refused_and_its_output_kept(ask, root):
    done = await ask("Bash", command="truncate -s 300M big; echo said; exit 3")
    assert done.text.startswith("said\nexit code 3\nerror: big: with it the command changed more")
    assert list(root.iterdir()) == []


async def test_earlier_contents_that_are_too_much_are_not_kept_and_named(ask, root, journal):
    (root / "small").write_text("s")
    (root / "large").write_bytes(bytes(70 << 20))
    done = await ask("Bash", command="echo x > small; echo x > large; echo new > new")
    assert done.text == "exit code 0\nnote: /undo does not bring back: large"
    assert ("intent", "1", ["new", "small"]) in journal.said
    assert (root / "large").read_text() == "x\n"
