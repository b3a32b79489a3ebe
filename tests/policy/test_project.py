import hashlib
import os
import tomllib
from pathlib import Path

import pytest

from hermes.core.tool import Place, Subject
from hermes.errors import SettingsInvalid
from hermes.policy.gate import Call, Gate
from hermes.policy.project import POLICY_FILE, read_project, read_trust, write_trust
from hermes.policy.rules import RuleSet

TEXT = 'allow = ["Bash(make:*)"]\nask = ["FileEdit(*.md)"]\ndeny = ["Bash(rm:*)"]\n'


def policy_file(place: Place, text: str) -> Path:
    path = place.root / POLICY_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def verdict(place: Place, trusted: dict[str, str], command: str = "make") -> str:
    gate = Gate(RuleSet(), read_project(place.root, trusted))
    return gate.decide(Call("Bash", "write", Subject("command", command), place, "ask")).verdict


def test_without_a_file_there_are_no_rules(place: Place) -> None:
    found = read_project(place.root, {})
    assert found.rules == RuleSet()
    assert not found.notes


def test_it_only_tightens_until_its_digest_is_trusted(place: Place, tmp_path: Path) -> None:
    policy_file(place, TEXT)
    untrusted = read_project(place.root, {})
    assert "allow rules are ignored (Bash(make:*))" in untrusted.notes[0]
    assert verdict(place, {}) == "ask"
    assert verdict(place, {}, "rm x") == "deny"
    trust = tmp_path / "config" / "trust.toml"
    write_trust(trust, place.root, untrusted.digest)
    assert verdict(place, read_trust(trust)) == "allow"
    policy_file(place, TEXT + "# changed\n")
    assert verdict(place, read_trust(trust)) == "ask"


@pytest.mark.parametrize(
    "text",
    ["allow = [", 'alow = ["Bash"]', "allow = [1]", 'allow = "Bash"', "# " + "x" * 70_000, "\x00"],
)
def test_a_broken_file_denies_every_write(place: Place, text: str) -> None:
    policy_file(place, text)
    gate = Gate(RuleSet(), read_project(place.root, {}))
    assert POLICY_FILE in gate.notes[0]
    write = gate.decide(Call("FileWrite", "write", Subject("path", "x"), place, "auto"))
    assert write.verdict == "deny"
    assert POLICY_FILE in write.reason
    assert verdict(place, {}) == "deny"
    assert verdict(place, {}, "ls") == "allow"


def test_links_and_pipes_are_no_policy(place: Place) -> None:
    path = policy_file(place, "")
    path.unlink()
    path.symlink_to("../../outside/key")
    assert "leads out" in read_project(place.root, {}).broken
    path.unlink()
    path.symlink_to("loop")
    (path.parent / "loop").symlink_to("policy.toml")
    assert read_project(place.root, {}).broken
    path.unlink()
    os.mkfifo(path)
    assert "no plain file" in read_project(place.root, {}).broken


def test_a_malformed_rule_of_a_cloned_project_denies(place: Place) -> None:
    policy_file(place, 'deny = ["Bash(rm *)"]')
    gate = Gate(RuleSet(), read_project(place.root, {}))
    assert any("Bash(rm *)" in note for note in gate.notes)
    assert verdict(place, {}, "ls") == "deny"


def test_trust_is_kept_for_every_root(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    odd = Path('/a "b"\\c\x7f\u00e9')
    digest = hashlib.sha256(b"x").hexdigest()
    assert read_trust(path) == {}
    write_trust(path, odd, digest)
    write_trust(path, Path("/other"), "0")
    assert read_trust(path) == {str(odd): digest, "/other": "0"}
    write_trust(path, Path("/other"), "")
    assert tomllib.loads(path.read_text())["trusted"] == {str(odd): digest}
    assert [each.name for each in tmp_path.iterdir()] == ["trust.toml"]


def test_a_broken_trust_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trust.toml"
    path.write_text("trusted = 1")
    with pytest.raises(SettingsInvalid, match=r"trust\.toml"):
        read_trust(path)
    with pytest.raises(SettingsInvalid, match=r"trust\.toml"):
        write_trust(path, Path("/x"), "1")
    assert path.read_text() == "trusted = 1"
