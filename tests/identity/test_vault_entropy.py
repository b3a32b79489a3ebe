"""Entropy: every source counts, what was used is told, hardware is only as good as it answers."""

import hashlib
import hmac
import os
import threading
import tty
from pathlib import Path

import pytest

from hermes.errors import IdentityInvalid
from hermes.identity.entropy import Devices, Source, gather, secret_from

ANSWER = bytes.fromhex("8001 0000002c 00000000 0020")


def _none(tmp_path):
    return Devices(tmp_path / "no-hwrng", tmp_path / "no-tpm")


def _told(gathered):
    return {source.name: source for source in gathered.sources}


async def test_the_system_alone_is_enough_and_told(tmp_path):
    one = await gather(b"soul", "regtest", (), _none(tmp_path))
    two = await gather(b"soul", "regtest", (), _none(tmp_path))
    assert len(one.secret) == 32
    assert one.secret != two.secret
    assert one.sources == (
        Source("system", 64),
        Source("hwrng", 0, "No such file or directory"),
        Source("tpm", 0, "No such file or directory"),
    )


async def test_the_secret_is_not_shown(tmp_path):
    made = await gather(b"soul", "regtest", (), _none(tmp_path))
    assert made.secret.hex() not in repr(made)
    assert repr(made.secret) not in repr(made)


async def test_a_hardware_source_is_read(tmp_path):
    devices = Devices(tmp_path / "hwrng", tmp_path / "no-tpm")
    devices.hwrng.write_bytes(os.urandom(100))
    assert _told(await gather(b"", "main", (), devices))["hwrng"] == Source("hwrng", 64)


async def test_a_hardware_source_that_gives_too_little_is_told(tmp_path):
    devices = Devices(tmp_path / "hwrng", tmp_path / "no-tpm")
    devices.hwrng.write_bytes(b"short")
    found = _told(await gather(b"", "main", (), devices))["hwrng"]
    assert found == Source("hwrng", 0, "gave too little in time")


def _tpm(master, answer, asked):
    asked.append(os.read(master, 64))
    os.write(master, answer)


async def _ask_tpm(tmp_path, answer):
    """A character device whose other end we hold: a pseudo-terminal without line discipline."""
    master, slave = os.openpty()
    tty.setraw(slave)
    asked = []
    other = threading.Thread(target=_tpm, args=(master, answer, asked))
    other.start()
    try:
        devices = Devices(tmp_path / "none", Path(os.ttyname(slave)))
        found = _told(await gather(b"", "regtest", (), devices))["tpm"]
    finally:
        other.join()
        os.close(master)
        os.close(slave)
    assert asked == [bytes.fromhex("8001 0000000c 0000017b 0020")]
    return found


async def test_a_tpm_is_asked_for_random_bytes(tmp_path):
    assert await _ask_tpm(tmp_path, ANSWER + os.urandom(32)) == Source("tpm", 32)


@pytest.mark.parametrize(
    "answer",
    [
        bytes.fromhex("8001 0000000a 00000101"),
        ANSWER + bytes(31),
        ANSWER + bytes(33),
        b"\0" * 44,
    ],
)
async def test_a_tpm_that_answers_otherwise_gives_nothing(tmp_path, answer):
    assert await _ask_tpm(tmp_path, answer) == Source("tpm", 0, "refused")


async def test_files_of_the_user_count(tmp_path):
    dice, photo = tmp_path / "dice", tmp_path / "photo"
    dice.write_text("4 2 6 1 3")
    photo.write_bytes(bytes(1000))
    made = await gather(b"soul", "regtest", (dice, photo), _none(tmp_path))
    assert made.sources[3:] == (Source("file 1", 9), Source("file 2", 1000))


async def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    with pytest.raises(IdentityInvalid, match="cannot be read: No such file"):
        await gather(b"", "regtest", (tmp_path / "nothing",), _none(tmp_path))
    (tmp_path / "empty").touch()
    with pytest.raises(IdentityInvalid, match="empty"):
        await gather(b"", "regtest", (tmp_path / "empty",), _none(tmp_path))


async def test_no_secret_for_an_unknown_network(tmp_path):
    with pytest.raises(IdentityInvalid, match="network"):
        await gather(b"", "moon", (), _none(tmp_path))


def test_everything_counts_towards_the_secret():
    soul = b"soul"
    base = secret_from((b"a" * 64, b"b"), soul, "regtest")
    mixed = (64).to_bytes(8, "big") + b"a" * 64 + (1).to_bytes(8, "big") + b"b"
    key = hmac.digest(hashlib.sha256(soul).digest(), mixed, "sha512")  # RFC 5869, by hand
    assert base == hmac.digest(key, b"hermes/identity/v1/regtest\1", "sha512")[:32]
    for other in (
        secret_from((b"a" * 64, b"c"), b"soul", "regtest"),
        secret_from((b"a" * 63, b"ab"), b"soul", "regtest"),
        secret_from((b"a" * 64, b"b"), b"another soul", "regtest"),
        secret_from((b"a" * 64, b"b"), b"soul", "main"),
    ):
        assert other != base
