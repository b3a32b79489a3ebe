"""No secret becomes a memory, by whatever way; and the rules load only when they are needed."""

import subprocess
import sys

import pytest

from hermes.core.clock import SystemClock
from hermes.core.ids import CallId, ConversationId, SessionId, TurnId
from hermes.core.tool import FileStates, Place, ToolContext
from hermes.errors import ToolFailure, Usage
from hermes.memory.project import project_hash
from hermes.memory.recall import Recaller
from hermes.node.memories import Memories
from hermes.scrub.spoken import secret_in
from hermes.store.store import Store
from hermes.tools.recall import Remember, memory_tools

SECRETS = (
    "my PIN is 4821",
    "the password is hunter2",
    "the wifi password at the office is Sommer2024!",
    "the API key for Stripe is sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "log in to the mail server with 7f9a8b2c6d1e",
    "database secret mhYUWppUmwXGc6",
    "use n#Q*FsfRVU#gSW as the registry token",
    "deploy with ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "postgres://ada:tulips@db.internal/app",
    "das Passwort lautet Gänseblümchen7",
)
PLAIN = (
    "the API key is stored in the vault",
    "tokens are signed with RS256",
    "the primary key is a UUIDv7",
    "passwords are hashed with argon2id",
    "the session key is rotated every night",
    "the login page uses OAuth2",
    "the password field must be at least twelve characters",
    "the API listens on port 8080",
    "the cache key is the user id",
    "logins go through Keycloak",
    "requests are signed with key version 3",
)


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "store.db", SystemClock()) as opened:
        yield opened


@pytest.fixture
def project(tmp_path):
    return project_hash(tmp_path)


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_seen(text):
    assert secret_in(text)
    assert secret_in(f"Remember that {text}.")


@pytest.mark.parametrize("text", PLAIN)
def test_talk_about_secrets_is_none(text):
    assert secret_in(text) == ""


@pytest.mark.parametrize("text", SECRETS[:3])
async def test_the_tool_and_the_query_refuse_them(store, tmp_path, project, text):
    tool, _ = memory_tools(store.memory, project_hash)
    context = ToolContext(
        conversation=ConversationId("c"), session=SessionId("s"), turn=TurnId("t"),
        call=CallId("1"), place=Place(tmp_path, tmp_path), files=FileStates(),
    )  # fmt: skip
    with pytest.raises(ToolFailure, match="secret"):
        await tool.run(context, Remember(text))
    memories = Memories(store, Recaller(store, SystemClock()), 0.3)
    with pytest.raises(Usage, match="secret"):
        await memories.add(str(tmp_path), text)
    assert await store.memory.list(project) == ()
    await tool.run(context, Remember(PLAIN[0]))
    await memories.add(str(tmp_path), PLAIN[1])
    assert len(await store.memory.list(project)) == 2


def test_a_chat_does_not_pay_for_the_rules():
    code = """import sys, hermes.memory.historian
heavy = {"hermes.memory.claims", "hermes.memory.subjects", "hermes.scrub.scrub"} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
