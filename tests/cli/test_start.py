import os
import signal
import subprocess
import sys

import pytest

HEAVY = {
    *("pydantic", "httpx", "mcp", "nostr_sdk", "llama_cpp", "xllamacpp", "torch"),
    *("prompt_toolkit", "rich", "tree_sitter", "pygments"),
}
COUNT = f"import sys; print(sorted(set(sys.modules) & {HEAVY!r}))"


def hermes(*words, **more):
    command = [sys.executable, "-m", "hermes.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def test_version():
    done = hermes("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hermes 0.1.0\n", "")


def test_version_of_what_was_adopted(tmp_path):
    folder = tmp_path / "data" / "versions"
    (folder / "v0.2.0" / "hermes" / "cli").mkdir(parents=True)
    (folder / "v0.2.0" / "hermes" / "cli" / "main.py").write_text("")
    (folder / "v0.2.0.json").write_text("{}")
    (folder / "current").symlink_to("v0.2.0")
    env = {"HERMES_V2_HOME": str(tmp_path)}
    assert hermes("--version", env=env).stdout == "hermes 0.1.0\nv0.2.0, adopted here\n"
    installed = env | {"HERMES_V2_VERSION": "installed"}
    assert hermes("--version", env=installed).stdout == "hermes 0.1.0\n"
    (folder / "v0.2.0.json").unlink()  # not there whole
    assert hermes("--version", env=env).stdout == "hermes 0.1.0\n"


def test_version_imports_next_to_nothing():
    code = (
        "import sys; sys.argv = ['hermes', '--version']\n"
        "from hermes.cli.main import main\n"
        "before = set(sys.modules); main(); assert set(sys.modules) == before\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in "
        "{'hermes', 'argparse', 'anyio', 'msgspec', 'asyncio'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        done.stdout.splitlines()[-1] == "['hermes', 'hermes.cli', 'hermes.cli.main', 'hermes.load']"
    )


@pytest.mark.parametrize("module", ["hermes.cli.run", "hermes.cli.once", "hermes.cli.doctor"])
def test_commands_import_nothing_heavy(module):
    code = f"import {module}; {COUNT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("words", [[], ["chat"], ["conversations", "export"], ["jobs", "add"]])
def test_help_has_an_example(words):
    done = hermes(*words, "--help")
    assert done.returncode == 0
    assert "example" in done.stdout


def test_a_reader_that_goes_away_is_no_error():
    command = [sys.executable, "-m", "hermes.cli.main", "completion", "bash"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


def test_ctrl_c_while_waiting_for_input_is_130(tmp_path):
    command = [sys.executable, "-m", "hermes.cli.main", "chat"]
    environ = os.environ | {"HERMES_V2_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert "waiting for the end of standard input" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "Traceback" not in process.stderr.read()
