"""Three homes whose nodes are one fleet, two relays, and the lines between, which the test cuts.

Every program is a process of its own, started by its command. The relays are reached through
switchboards in this process that know each caller by the key with which he logs in: so one
home's lines can be cut while its relays live. The model is a server that all homes use and
that does what the last message says, so that a turn does the same wherever it runs.
"""

import contextlib
import json
import queue
import random
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from anyio.from_thread import start_blocking_portal
from nostr_sdk import PublicKey
from stranger import LIMIT_S, Stranger, descendants, kill, wait_gone

from benchmarks.measure import HERMES, home
from hermes.config import read_settings
from hermes.core.clock import SystemClock
from hermes.core.ids import CallId, uuid7
from hermes.core.message import ToolCall
from hermes.core.request import TurnRequest
from hermes.identity.hot import HotKey
from hermes.mesh.envelope import seal, write
from hermes.mesh.event import ENVELOPE
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.node.attach import find_owner
from hermes.testing.acts import say
from hermes.testing.endpoint import serve
from hermes.testing.relays import switchboard

SCRIPT = Path(__file__).parents[1] / "gateway" / "dm_nostr_tools.mjs"
PRESENCE_S = 1.0
LEASE_S = 6.0
HEALED_S = 20.0
"""Promised are 15 s; this machine has more to do, and some nodes start first."""
NAMES = ("anne", "bert", "carl", "dave", "emma")


def free_ports(count):
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [door.getsockname()[1] for door in doors]


def answer(seen):
    """What the model does: as the last message of the person says."""
    messages = seen.body["messages"]
    said = [text_of(one) for one in messages if one["role"] == "user"]
    last = messages[-1]
    if last["role"] == "tool":
        return say(f"It said: {text_of(last)[:200]}")
    verb, _, rest = said[-1].rpartition("\n")[2].strip().partition(" ")
    call = f"call_{len(messages)}"
    match verb:
        case "sh":
            return say("", [ToolCall(CallId(call), "Bash", json.dumps({"command": rest}))])
        case "write":
            arguments = {"path": rest, "content": "written\n"}
            return say("", [ToolCall(CallId(call), "FileWrite", json.dumps(arguments))])
        case "slowly":
            words = [f"w{number} " for number in range(int(rest))]
            return say("", pieces=words, chunk_delay_s=0.1)
        case "recall":
            return say(", ".join(re.findall(r"\bnote (\w+)", "\n".join(said))) or "nothing")
    return say(f"Heard: {verb} {rest}".strip())


def text_of(message):
    content = message["content"] or ""
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content


class Lines:
    """The callers of one relay: each home's line, by the key it logs in with."""

    def __init__(self):
        self.treat = {}
        self.up = []
        self.chance = random.Random(7)

    def connect(self, hang_up):
        return Line(self, hang_up).meddle

    def hang_up(self, key):
        """End what a caller has; called in the loop's thread."""
        for one in self.up[:]:
            if one.key == key:
                one.hang_up()
                self.up.remove(one)


class Line:
    """One caller."""

    def __init__(self, lines, hang_up):
        self.lines, self.hang_up = lines, hang_up
        self.key = ""
        self.held = []
        self.listens = False
        self.dead = False  # nothing comes through, and nobody is told, even when others do
        lines.up.append(self)

    def meddle(self, way, frame):
        if way == "up" and frame[0] == "AUTH" and isinstance(frame[1], dict):
            self.key = frame[1].get("pubkey", "")
        if way == "down" and frame[:2] == ["EOSE", "ear"]:
            self.listens = True
        match self.lines.treat.get(self.key, self.lines.treat.get("")):
            case "cut":
                return [None]
            case "silent":
                return []
            case "dead":
                self.dead = True
            case "rough" if frame[0] == "EVENT":
                return self._rough(frame)
        return [] if self.dead else [frame]

    def _rough(self, frame):
        """Drop, double, hold back and turn around, delay."""
        chance = self.lines.chance.random()
        if chance < 0.05:
            return []
        if chance < 0.25:
            return [frame, frame]
        if chance < 0.35:
            self.held.append(frame)
            return []
        if chance < 0.6:
            held, self.held = self.held, []
            return [frame, *reversed(held)]
        return [0.05, frame]


class Program:
    """A process of ours that goes on until it is ended; what it says is in a file."""

    def __init__(self, env, *words):
        self.log = Path(env["HOME"], "log.txt")
        with self.log.open("ab") as output:
            self.from_ = output.tell()
            self.child = subprocess.Popen(
                [HERMES, *words],
                env=env,
                cwd=env["PWD"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def said(self):
        return self.log.read_bytes()[self.from_ :].decode(errors="replace")

    def until(self, text, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        while text not in self.said:
            assert self.child.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.05)

    def stop(self, sign=signal.SIGKILL):
        """End it, and what it began; its exit code."""
        below = descendants(self.child.pid)
        if self.child.poll() is None:
            self.child.send_signal(sign)
        try:
            code = self.child.wait(15)
        finally:
            kill(self.child.pid)
        wait_gone(below)
        return code


class Relay:
    """A `hermes relay` and the switchboard before it; `url` is the switchboard's address."""

    def __init__(self, env, portal, keys):
        self.env = env
        self.lines = Lines()
        self.port, front = free_ports(2)
        self.url = f"ws://127.0.0.1:{front}"
        self.portal = portal
        config = Path(env["HERMES_V2_HOME"], "config", "config.toml")
        config.parent.mkdir(parents=True)
        config.write_text(f'[mesh]\nadvertise = "{self.url}"\n')
        self.words = [word for key in keys for word in ("--owner", key)]
        self.program = None
        self.front = front

    def start(self):
        self.lines.up.clear()
        listen = f"127.0.0.1:{self.port}"
        self.program = Program(self.env, "relay", "--listen", listen, *self.words)
        self.program.until("relay at")

    def listened(self, homes, limit_s=HEALED_S):
        """Wait until it works for all again: for the fleet, and for direct messages."""
        end = time.monotonic() + limit_s
        while any(self._ears(one) < 2 for one in homes):
            assert time.monotonic() < end, [(one.name, self._ears(one)) for one in homes]
            time.sleep(0.05)

    def _ears(self, home):
        return sum(one.listens and one.key == home.key for one in self.lines.up[:])

    @contextlib.contextmanager
    def serving(self):
        board = switchboard(f"ws://127.0.0.1:{self.port}", self.lines.connect, self.front)
        with self.portal.wrap_async_context_manager(board):
            self.start()
            try:
                yield
            finally:
                self.program.stop()

    def treat(self, key, how):
        """How a caller's line is from now on; "" is whoever has no way of his own."""
        self.portal.call(partial(self._treat, key, how))

    def _treat(self, key, how):
        before = self.lines.treat.pop(key, None)
        if how is not None:
            self.lines.treat[key] = how
        if how == "cut" or before == "silent":  # no stream loses words and lives on
            self.lines.hang_up(key)


class Home(Stranger):
    """A machine of somebody: its node, and whoever sits there."""

    def __init__(self, env, name, portal):
        super().__init__(env)
        self.name, self.portal = name, portal
        self.node = None
        self.npub = self.key = ""

    def ask_json(self, *words):
        return json.loads(self.run(*words, "--json", check=True).out)

    def found(self):
        self.run("identity", "init", "--unattended", check=True)
        self.npub = self.ask_json("identity", "show")["npub"]
        self.key = PublicKey.parse(self.npub).to_hex()

    def up(self):
        self.node = Program(self.env, "node")
        self.node.until("mesh: ")

    def down(self, sign=signal.SIGKILL):
        code = self.node.stop(sign)
        assert "Traceback" not in self.node.said, self.node.said
        return code

    def peers(self):
        """The states of the fleet as this node sees it, by key."""
        with self.front() as front:
            return {one["npub"]: one["state"] for one in front.query("peers.list")}

    def sees(self, *others, state="alive", limit_s=LIMIT_S):
        """Wait until the others are seen in a state."""
        end = time.monotonic() + limit_s
        while {(found := self.peers()).get(one.npub) for one in others} != {state}:
            assert time.monotonic() < end, (self.name, found)
            time.sleep(0.2)

    def has(self, conversation, holds=lambda _shown: True, limit_s=20):
        """Wait until a conversation is here, as it should be; what it is then."""
        end, found = time.monotonic() + limit_s, "nothing"
        while time.monotonic() < end:
            done = self.run("conversations", "show", conversation, "--json")
            if done.code == 0 and holds(found := json.loads(done.out)):
                return found
            time.sleep(0.2)
        raise AssertionError((self.name, found))

    @contextlib.contextmanager
    def front(self):
        """A door to the node, as a front end has it."""
        settings = read_settings(self.env)
        with self.portal.wrap_async_context_manager(find_owner(settings)) as door:
            assert door is not None
            yield Front(self.portal, door, self)

    def say(self, text, conversation="", **more):
        """One turn from here, answered; the answer's words."""
        words = ("--conversation", conversation) if conversation else ()
        done = self.ask(text, *words, **more)
        assert done.last["type"] == "turn_finished", done
        return done.last["text"]

    def home_of(self, conversation):
        """Who holds a conversation as far as is known here, by key."""
        with self.front() as front:
            return front.status(conversation)["home"]


class Phone:
    """A person's client on nostr-tools, in a process of its own, at one relay."""

    def __init__(self, relay, node):
        self.child = subprocess.Popen(
            ["node", str(SCRIPT), relay.url, node.key],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.next("ready")

    def next(self, name, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        while select.select([self.child.stdout], [], [], max(0, end - time.monotonic()))[0]:
            value = json.loads(self.child.stdout.readline())
            if name in value:
                return value[name]
        raise AssertionError(f"no {name}")

    def ask(self, text):
        self.child.stdin.write(json.dumps({"say": text}) + "\n")
        self.child.stdin.flush()
        return self.next("heard")

    def close(self):
        self.child.kill()
        self.child.communicate()


class Front:
    """An interactive front end: its turns, its answers, what it asks."""

    def __init__(self, portal, door, home):
        self.portal, self.door, self.home = portal, door, home

    def query(self, name, /, **arguments):
        return self.portal.call(partial(self.door.query, name, **arguments))

    def status(self, conversation=""):
        return self.portal.call(self.door.status, conversation)

    def turn(self, text, conversation="", **how):
        place = str(self.home.project)
        how = {"turn_id": uuid7(), "interactive": True} | how
        request = TurnRequest(text=text, cwd=place, root=place, conversation_id=conversation, **how)
        return Talk(self, request)


class Talk:
    """One turn; `events` so far."""

    def __init__(self, front, request):
        self.request, self.front = request, front
        self.events = []
        self._queue = queue.SimpleQueue()
        self.done = front.portal.start_task_soon(self._run)

    async def _run(self):
        async with self.front.door.turn(self.request) as events:
            async for event in events:
                self._queue.put(event)

    def until(self, kind, limit_s=LIMIT_S):
        """Take events until one of this kind comes."""
        end = time.monotonic() + limit_s
        while not (self.events and isinstance(self.events[-1], kind)):
            try:
                self.events.append(self._queue.get(timeout=max(0, end - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__}: {self.events}") from None
        return self.events[-1]

    def answer(self, asked, answer):
        return self.front.portal.call(self.front.door.approve, asked.call_id, answer)

    def stop(self):
        return self.front.portal.call(self.front.door.stop, self.events[0].conversation_id)


class Stage:
    """`homes` and `relays` by number; `anne` founded the fleet."""

    def __init__(self, portal, homes, relays):
        self.portal, self.homes, self.relays = portal, homes[:3], relays
        self.spare = homes[3:]
        self.anne, self.bert, self.carl = self.homes

    def cut(self, one, how="cut"):
        for relay in self.relays:
            relay.treat(one.key, how)

    def wait(self, holds, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < end, "it never came to that"
            time.sleep(0.2)

    @contextlib.contextmanager
    def newcomer(self):
        """A fourth home, let in by the first; each can come once."""
        one = self.spare.pop()
        try:
            one.up()
            self.join(one)
            yield one
        finally:
            one.node.stop()

    @contextlib.contextmanager
    def twin(self, one):
        """The same store and keys in another place."""
        with home() as env:
            other = Home(env, f"{one.name}'s twin", self.portal)
            one.down(signal.SIGTERM)
            shutil.copytree(one.state, other.state)
            one.up()
            try:
                yield other
            finally:
                other.node.stop()

    def join(self, one):
        code = self.anne.ask_json("peers", "invite", "--name", one.name)["code"]
        one.ask_json("peers", "join", code)

    def heal(self, one):
        self.cut(one, None)

    def whole(self):
        """Bring back what a test ended or cut, and wait until all see all."""
        for relay in self.relays:
            for key in list(relay.lines.treat):
                relay.treat(key, None)
            if relay.program.child.poll() is not None:
                relay.start()
        for one in self.homes:
            if one.node.child.poll() is not None:
                one.up()
        for one in self.homes:
            one.sees(*(other for other in self.homes if other is not one), limit_s=HEALED_S)


def _config(model, relays):
    return "\n".join(
        (
            f'model = "{model}#scripted"',
            "search_servers = false",
            "[rules]",
            'allow = ["Bash"]',
            "[sandbox]",
            'bash = "guard"',  # what a command does is looked for while it runs
            "[mesh]",
            f"relays = {json.dumps(relays)}",
            f"presence_s = {PRESENCE_S}",
            f"lease_s = {LEASE_S}",
            "",
        )
    )


def stranger_says(stage, letters):
    """Somebody who is nobody's member says something well formed, by both relays."""
    secret = secrets.token_bytes(32)
    key, keys = HotKey(secret), NostrKeys(secret)

    async def speak():
        now = SystemClock().now_ms()
        async with Wire(keys, SystemClock()) as wire:
            await wire.connect([relay.url for relay in stage.relays])
            for number, letter in enumerate(letters, 1):
                content = write(seal(key, letter, number, now)).decode()
                rumour = keys.rumour(ENVELOPE, content, (), now // 1000)
                wrap = keys.wrap(letter.to, rumour, now // 1000 + 600, now=now // 1000, live=False)
                assert "" in (await wire.publish(wrap)).values()

    stage.portal.call(speak)


@contextlib.contextmanager
def fleet():
    """All of it, up and acquainted."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(3) as several:
        portal = stack.enter_context(start_blocking_portal())
        model = stack.enter_context(portal.wrap_async_context_manager(serve(answer)))
        homes = [Home(stack.enter_context(home()), name, portal) for name in NAMES]
        for one in homes:
            one.config("")
        list(several.map(Home.found, homes))
        keys = [one.npub for one in homes]
        relays = [Relay(stack.enter_context(home()), portal, keys) for _ in range(2)]
        for relay in relays:
            stack.enter_context(relay.serving())
        urls = [relay.url for relay in relays]
        for one in homes:
            one.config(_config(model.base_url, urls))
            stack.callback(lambda one=one: one.node and one.node.stop())
        list(several.map(Home.up, homes[:3]))
        stage = Stage(portal, homes, relays)
        for one in homes[1:3]:
            stage.join(one)
        stage.whole()
        yield stage
