"""docs/configuration.md names every setting with its default, and its example can be read."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from hermes.config import Chain, Limits, Memory, Mesh, Sandbox, Settings, Successor, read_settings
from hermes.errors import SettingsInvalid

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|", re.MULTILINE)
PARTS = r"^## (?:Limits|Memory|The mesh|The chain|The sandbox|Successors)"
FOUND = [dict(ROW.findall(part)) for part in re.split(PARTS, PAGE, flags=re.MULTILINE)]
SETTINGS, LIMITS, MEMORY, MESH, CHAIN, SANDBOX, SUCCESSOR = FOUND
TABLES = [(Settings, SETTINGS), (Limits, LIMITS), (Memory, MEMORY), (Mesh, MESH), (Chain, CHAIN)]
TABLES += [(Sandbox, SANDBOX), (Successor, SUCCESSOR)]


@pytest.mark.parametrize(("kind", "rows"), TABLES)
def test_every_field_is_documented_and_nothing_else(kind, rows):
    assert set(rows) == {field.name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(("kind", "rows"), TABLES)
def test_plain_defaults_are_the_real_ones(kind, rows):
    for field in msgspec.structs.fields(kind):
        if isinstance(field.default, int | float):
            shown = field.default
            plain = str(shown).lower() if isinstance(shown, bool) else f"{shown:,g}"
            assert rows[field.name] == plain


def test_the_example_is_a_valid_configuration(tmp_path):
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(example[1])
    settings = read_settings({"HERMES_V2_HOME": str(tmp_path)})
    assert settings.limits.steps == tomllib.loads(example[1])["limits"]["steps"]


def test_a_key_to_the_main_network_is_no_line_of_a_file(tmp_path):
    home = {"HERMES_V2_HOME": str(tmp_path)}
    assert read_settings(home | {"HERMES_V2_MAINNET": "yes"}).mainnet == "yes"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text('mainnet = "yes"')
    with pytest.raises(SettingsInvalid, match="environment alone"):
        read_settings(home)


WRONG = """fee_rate_most = nan
fee_rate_most = inf
fee_rate_most = 0
fee_most = -1
month_most = -1
every_hours = nan
every_hours = -1"""


@pytest.mark.parametrize("line", WRONG.splitlines())
def test_a_cap_is_a_number_that_caps(tmp_path, line):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(f"[chain]\n{line}\n")
    with pytest.raises(SettingsInvalid, match=line.split(maxsplit=1)[0]):
        read_settings({"HERMES_V2_HOME": str(tmp_path)})
