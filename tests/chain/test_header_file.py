import pytest

from hermes.chain.backend import Tip
from hermes.chain.connect import open_backend
from hermes.chain.header_file import HeaderFile, fetch_headers
from hermes.chain.headers import HEAD, Headers, headers_of
from hermes.errors import ChainError, ChainLied, NotAvailable, ProofInvalid, Usage
from hermes.testing.regtest import Regtest


@pytest.fixture
async def chain():
    async with Regtest() as chain:
        await chain.mine(30)
        yield chain


def held(path):
    return headers_of(path.read_bytes())


async def test_headers_follow_the_chain_and_its_reorganisations(chain, tmp_path):
    path = tmp_path / "headers" / "regtest.headers"
    file = await fetch_headers(path, "regtest", chain.url)
    assert (file.headers.height, file.headers.tip) == (30, chain.tip.hash)
    await chain.mine(5)
    async with open_backend(chain.url, "regtest") as backend:
        await file.follow(backend)
        assert held(path)[0].tip == chain.tip.hash
        gone = file.headers.at(35)
        await chain.reorg(10)
        await file.follow(backend)
        await file.follow(backend)
    assert (file.headers.height, file.headers.tip) == (36, chain.tip.hash)
    assert file.headers.height_of(gone) is None
    again, torn = held(path)
    assert (again.height, again.tip, again.work, torn) == (36, chain.tip.hash, file.headers.work, 0)


async def test_a_server_with_less_work_changes_nothing(chain, tmp_path):
    path = tmp_path / "regtest.headers"
    file = await fetch_headers(path, "regtest", chain.url)
    tip = file.headers.tip
    async with Regtest() as other:
        await other.mine(20, script=b"\x51")
        async with open_backend(other.url, "regtest") as backend:
            await file.follow(backend)
            assert file.headers.tip == tip
            await other.mine(11)
            await file.follow(backend)
        assert file.headers.tip == held(path)[0].tip == other.tip.hash


async def test_headers_begin_where_a_person_says(chain, tmp_path):
    path = tmp_path / "regtest.headers"
    block = await chain.rpc("getblockhash", 12)
    with pytest.raises(ChainLied, match="another block 12"):
        await fetch_headers(path, "regtest", chain.url, 12, "ab" * 32)
    with pytest.raises(Usage, match="has no block 31"):
        await fetch_headers(path, "regtest", chain.url, 31, "ab" * 32)
    file = await fetch_headers(path, "regtest", chain.url, 12, block)
    assert (file.headers.start, file.headers.height) == (12, 30)
    await fetch_headers(path, "regtest", chain.url, 12, block)
    await fetch_headers(path, "regtest", chain.url)
    with pytest.raises(Usage, match="begins at block 12"):
        await fetch_headers(path, "regtest", chain.url, 11, block)
    async with Regtest() as other:
        await other.mine(40, script=b"\x51")
        with pytest.raises(ChainLied, match="our headers rest on"):
            await fetch_headers(path, "regtest", other.url)
    with pytest.raises(NotAvailable):
        await fetch_headers(path, "regtest", "")


async def test_a_torn_header_is_cut_and_a_spoilt_file_is_refused(chain, tmp_path):
    path = tmp_path / "regtest.headers"
    whole = await fetch_headers(path, "regtest", chain.url)
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    file = await HeaderFile.open(path, "regtest")
    assert file.headers.height == 29
    assert path.read_bytes() == data[:-80]
    assert await file.adopt(30, whole.headers.at(30))
    assert path.read_bytes() == data
    bad = bytearray(data)
    bad[HEAD + 80 * 7 + 40] ^= 1
    path.write_bytes(bad)
    with pytest.raises(ProofInvalid) as refused:
        await HeaderFile.open(path, "regtest")
    assert "remove it" in refused.value.remedy
    path.write_bytes(data)
    with pytest.raises(ProofInvalid, match="of regtest, not main"):
        await HeaderFile.open(path, "main")
    assert await HeaderFile.open(tmp_path / "none", "regtest") is None


async def test_a_file_that_shrank_behind_our_back_is_not_written_with_a_gap(chain, tmp_path):
    path = tmp_path / "regtest.headers"
    file = await fetch_headers(path, "regtest", chain.url)
    path.write_bytes(path.read_bytes()[:-160])
    await chain.mine(1)
    async with open_backend(chain.url, "regtest") as backend:
        with pytest.raises(ChainError, match="lost headers"):
            await file.follow(backend)
    with pytest.raises(ChainError, match="cannot be written"):
        await HeaderFile.begin(path, file.headers)
    path.unlink()
    path.mkdir()
    with pytest.raises(ChainError, match="cannot be read"):
        await HeaderFile.open(path, "regtest")


async def test_a_server_that_has_not_come_so_far_changes_nothing(chain, tmp_path):
    path = tmp_path / "regtest.headers"
    await fetch_headers(path, "regtest", chain.url, 12, await chain.rpc("getblockhash", 12))
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    async with Regtest() as other:
        await other.mine(5)
        await fetch_headers(path, "regtest", other.url)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class Liar:
    """A server whose headers do not hold."""

    name = "liar"

    def __init__(self, headers: Headers, height: int = 40) -> None:
        self._headers, self._height = headers, height

    async def tip(self):
        return Tip(self._height, "")

    async def headers(self, start, count):
        if start <= self._headers.height:
            return (self._headers.at(start),)
        return (bytes(80),)


async def test_a_lying_server_is_named_and_nothing_is_kept(chain, tmp_path):
    path = tmp_path / "regtest.headers"
    file = await fetch_headers(path, "regtest", chain.url)
    before = path.read_bytes()
    with pytest.raises(ChainLied, match="liar sent headers that do not hold"):
        await file.follow(Liar(file.headers))
    with pytest.raises(ChainLied, match="tells of 1000000000 blocks"):
        await file.follow(Liar(file.headers, 10**9))
    assert path.read_bytes() == before
