import json

import pytest


def _vectors(shell, settings: str) -> dict:
    config = shell.home / "state" / "config" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(settings)
    shell.run("doctor", "--json", "--quick")
    return next(check for check in json.loads(shell.out) if check["check"] == "vectors")


def test_without_vectors_nothing_is_amiss(shell):
    found = _vectors(shell, "")
    assert found["ok"]
    assert "by their words" in found["detail"]


@pytest.mark.parametrize(("kind", "said"), [("sqlite-vec", "sqlite-vec v"), ("faiss", "FAISS 1")])
def test_the_library_is_tried(shell, kind, said):
    found = _vectors(shell, f'[memory]\nvectors = "{kind}"\n')
    assert found["ok"]
    assert found["detail"].startswith(said)


def test_an_embedder_that_names_no_model_is_said(shell):
    settings = '[memory]\nvectors = "faiss"\nembedder = "http://localhost:1/v1"\n'
    found = _vectors(shell, settings)
    assert not found["ok"]
    assert not found["essential"]
    assert found["remedy"] == "write it as URL#NAME"


def test_a_damaged_file_of_vectors_is_no_damaged_store(shell):
    data = shell.home / "state" / "data"
    data.mkdir(parents=True)
    (data / "vectors.db").write_bytes(b"nonsense")
    shell.run("doctor", "--json", "--quick")
    assert not [c for c in json.loads(shell.out) if "vectors.db" in c["detail"]]
