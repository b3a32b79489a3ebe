import os
import subprocess

import anyio
import pytest

from hermes.errors import ToolFailure
from hermes.sandbox.environment import clean_environment
from hermes.tools.git import git, words_of
from hermes.tools.shell import bash


@pytest.fixture(params=["guard", "overlay"])
def ask(request, bench, shell, env):
    """Every test of this page holds in both places."""
    in_sandbox = request.param == "overlay"
    tool = request.getfixturevalue("held") if in_sandbox else bash(shell, env, "bash")
    return bench.use(tool, git(shell, env))


@pytest.fixture
def repository(root):
    def run(*words):
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)

    run("init", "-q", "-b", "main")
    (root / "f").write_text("one\n")
    run("add", ".")
    run("commit", "-q", "-m", "first thing")
    return root


async def test_output_then_exit_code(ask, root):
    assert (await ask("Bash", command="echo hi")).text == "hi\nexit code 0"
    assert (await ask("Bash", command="true")).text == "exit code 0"
    failed = await ask("Bash", command="pwd; printf x >&2; exit 7")
    assert (failed.text, failed.ok) == (f"{root}\nx\nexit code 7", True)
    assert (await ask("Bash", command="kill -9 $$")).text == "exit code -9"
    assert not (await ask("Bash", command=" ")).ok


async def test_it_is_not_a_login_shell_and_sees_no_keys(ask):
    result = await ask("Bash", command="shopt -q login_shell; echo $? $TERM $GIT_PAGER")
    assert result.text == "1 dumb cat\nexit code 0"


async def test_long_output_keeps_head_tail_and_the_exit_code(ask):
    result = await ask("Bash", 600, command="seq 100000; exit 3")
    lines = result.text.split("\n")
    assert lines[:2] == ["[100000 lines]", "1"]
    assert lines[-2:] == ["100000", "exit code 3"]
    assert len(result.text) <= 600
    assert result.truncated


async def test_output_that_is_no_text(ask):
    assert (await ask("Bash", command=r"printf 'a\xff\r\nb\0c'")).text == "a�\nb\0c\nexit code 0"


async def test_what_no_program_can_be_given(ask):
    assert "rgument list too long" in (await ask("Bash", command="#" * 3_000_000)).text
    assert "null byte" in (await ask("Bash", command="echo a\0b")).text


async def test_time_out(ask):
    result = await ask("Bash", command="echo so far; sleep 30", timeout="1")
    assert result.text == "so far\nerror: timed out after 1 s"
    assert not result.ok


async def test_effect_is_that_of_the_command(ask, journal):
    await ask("Bash", command="ls")
    await ask("Bash", command="touch x")
    await ask("Bash", command="ls; touch x")
    effects = [entry[3] for entry in journal.said if entry[0] == "called"]
    assert effects == ["read", "write", "write"]
    assert "intent" in journal.of("2")
    assert "intent" not in journal.of("1")


async def test_eight_reading_commands_run_together(ask, root):
    names = [f"pipe{n}" for n in range(8)]
    for name in names:
        os.mkfifo(root / name)
    fds = []

    async def feed():
        """Each `cat` ends only when all eight have opened their pipes."""
        for name in names:
            while True:
                try:
                    fds.append(os.open(root / name, os.O_WRONLY | os.O_NONBLOCK))
                    break
                except OSError:
                    await anyio.sleep(0.005)
        for fd in fds:
            os.write(fd, b"together\n")
            os.close(fd)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(feed)
            results = await ask.step(*[("Bash", {"command": f"cat {name}"}) for name in names])
    assert [result.text for result in results] == ["together\nexit code 0"] * 8


async def test_git_reads(ask, repository, journal):
    (repository / "f").write_text("two\n")
    assert " M f" in (await ask("Git", command="status --short")).text
    assert "+two" in (await ask("Git", command="git diff")).text
    assert "first thing" in (await ask("Git", command="log --oneline")).text
    assert {entry[3] for entry in journal.said if entry[0] == "called"} == {"read"}


async def test_git_writes(ask, repository, journal):
    (repository / "g").write_text("new\n")
    with (repository / ".git" / "config").open("a") as config:
        config.write("[user]\nname = T\nemail = t@example.org\n")
    assert (await ask("Git", command="add g")).text == "exit code 0"
    done = await ask("Git", command="commit -q -m 'second; $(touch oops) /thing'")
    assert done.text == "exit code 0"
    assert "second; $(touch oops)" in (await ask("Git", command="log -1 --format=%s")).text
    assert not (repository / "oops").exists()
    effects = [entry[3] for entry in journal.said if entry[0] == "called"]
    assert effects == ["write", "write", "read"]
    assert "exit code 1" in (await ask("Git", command="commit")).text  # no editor waits


@pytest.mark.parametrize(
    "command",
    [
        "",
        "push",
        "-c core.pager=x log",
        "--exec-path=/tmp log",
        "-C / status",
        "config --global x y",
        "diff --no-index /etc/passwd /dev/null",
        "diff --no-ind a b",
        "diff --output=x",
        "log --outp=x",
        "diff --ext-diff",
        "show --textconv",
        "blame --contents /etc/passwd f",
        "log --exec-path=x",
        "archive --remote=x",
        "status 'unclosed",
        "lg",
    ],
)
async def test_git_refuses(ask, repository, command):
    result = await ask("Git", command=command)
    assert result.text.startswith("error: ")
    assert not result.ok


async def test_git_does_not_read_outside(ask, repository, tmp_path):
    (tmp_path / "key").write_text("hunter2")
    for command in ("diff ../key f", f"diff {tmp_path}/key f", f"log -p -- {tmp_path}/key"):
        result = await ask("Git", command=command)
        assert "outside the project" in result.text
        assert "hunter2" not in result.text


async def test_git_runs_nothing_that_the_repository_names(ask, repository):
    trap = repository / "trap"
    trap.write_text("#!/bin/sh\ntouch sprung\n")
    trap.chmod(0o755)
    config = repository / ".git" / "config"
    config.write_text(
        config.read_text() + f"[core]\nfsmonitor = {trap}\npager = {trap}\n"
        f'[diff]\nexternal = {trap}\n[diff "t"]\ntextconv = {trap}\n[alias]\nst = !{trap}\n'
        f"[gpg]\nprogram = {trap}\n[log]\nshowSignature = true\n"
    )
    (repository / ".gitattributes").write_text("* diff=t\n")
    (repository / "f").write_text("two\n")
    for command in ("status", "diff", "log -p", "show", "st"):
        await ask("Git", command=command)
    assert not (repository / "sprung").exists()


def test_harmless_options_pass():
    assert words_of("git diff --text --no-ext-diff -- --output")[0] == "diff"
    with pytest.raises(ToolFailure):
        words_of("diff --tex --textc")


@pytest.fixture
def planted(root):
    """A repository, and programs that a command inside could have put into the project."""
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "bin").mkdir()
    for name in ("git", "uname"):
        (root / "bin" / name).write_text("#!/bin/sh\necho planted\n")
        (root / "bin" / name).chmod(0o755)
    for name in ("name", "email"):
        subprocess.run(["git", "-C", root, "config", f"user.{name}", "x"], check=True)
    hook = root / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\nuname\nexit 1\n")
    hook.chmod(0o755)
    return clean_environment({"PATH": f"{root}/bin:/usr/bin:/bin"})


async def test_git_is_never_one_that_the_project_has(bench, shell, planted):
    ask = bench.use(git(shell, planted))
    for command in ("status", "stash list", "branch"):
        assert "planted" not in (await ask("Git", command=command)).text
    done = await ask("Git", command="commit --allow-empty -m x")
    assert "planted" in done.text  # by the person's hook, with the person's PATH
