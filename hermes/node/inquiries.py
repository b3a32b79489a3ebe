"""Queries about everything but conversations and memory: jobs, models, skins, policy, context."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.conversation.kit import Kit
from hermes.conversation.session import Session, View, view_key
from hermes.conversation.shards import Shards
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.core.message import Message
from hermes.core.model import ModelRequest
from hermes.core.request import TurnRequest
from hermes.models.model import Model
from hermes.node.desk import Query
from hermes.node.law import Law
from hermes.node.shelf import Shelf
from hermes.prompt.account import account
from hermes.prompt.budget import Cut, Scale
from hermes.prompt.builder import Frame, build, chat_messages
from hermes.scheduler.jobs import Order
from hermes.scheduler.runner import Scheduler
from hermes.scheduler.zones import zone_named
from hermes.skin.skin import list_skins, load_skin
from hermes.store.jobs import Job, JobId, Run


class Inquiries:
    """Answers of the owner, as JSON."""

    def __init__(
        self,
        kit: Kit,
        shards: Shards,
        shelf: Shelf,
        law: Law,
        scheduler: Scheduler,
        skins: Sequence[Path],
    ) -> None:
        self._kit = kit
        self._shards = shards
        self._shelf = shelf
        self._law = law
        self._scheduler = scheduler
        self._skins = skins

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "jobs.list": self.jobs,
            "jobs.add": self.add_job,
            "jobs.cancel": self.cancel_job,
            "jobs.runs": self.runs,
            "models.list": self._shelf.models,
            "skins.list": self.skins,
            "skin.get": self.skin,
            "policy.show": self._law.show,
            "policy.trust": self._law.trust,
            "context": self.context,
        }

    async def jobs(self) -> Json:
        """The jobs that are not over."""
        return [_job(job) for job in await self._kit.store.jobs.list()]

    async def add_job(
        self,
        when: str,
        cwd: str,
        root: str,
        zone: str = "UTC",
        task: str = "",
        command: str = "",
    ) -> Json:
        """Keep a job that the person orders."""
        place = await anyio.to_thread.run_sync(zone_named, zone)
        order = Order(when, task, Path(cwd), Path(root), place, command)
        return _job(await self._scheduler.add(order))

    async def cancel_job(self, id: str) -> Json:  # noqa: A002 - the public query's word
        """End a job."""
        await self._scheduler.cancel(JobId(str(id)))
        return {"id": str(id), "state": "cancelled"}

    async def runs(self, id: str, limit: int = 50) -> Json:  # noqa: A002
        """What became of each time a job was due."""
        return [_run(run) for run in await self._kit.store.jobs.runs(JobId(str(id)), limit)]

    async def skins(self) -> Json:
        """The skins that can be used."""
        listing = await anyio.to_thread.run_sync(list_skins, self._skins)
        return [msgspec.to_builtins(skin) for skin in listing.skins]

    async def skin(self, name: str) -> Json:
        """One skin."""
        skin = await anyio.to_thread.run_sync(partial(load_skin, name, self._skins))
        return msgspec.to_builtins(skin)

    async def _view(self, session: Session, model: Model, asked: TurnRequest) -> View:
        """What the model is shown of a session now; looking changes nothing."""
        key = view_key(model, asked)
        if (known := session.views.get(key)) is not None:
            return known
        view = View(key=key)
        await self._kit.compaction.restore(session, view, model.window)
        return view

    async def context(self, conversation_id: str, request: TurnRequest) -> Json:
        """What fills the window: each part in tokens and bytes, by the model's own tokenizer."""
        known = ConversationId("")
        if conversation_id:
            known = await self._kit.store.conversations.resolve(conversation_id)
        asked = msgspec.structs.replace(request, conversation_id=known)
        session = await self._shards.peek(known, asked)
        model = await self._kit.models.open(asked, session)
        view = await self._view(session, model, asked)
        sections = view.sections or await self._kit.opening.sections(model.profile, asked, session)
        tools = self._kit.opening.tools(model.profile, sections)
        frame = Frame(sections, tools, model.profile, session.lines())
        history, cut = session.messages, view.cut
        prompt = build(frame, history, window=model.window, scale=view.scale, cut=cut)
        parts, before = [], 0
        steps = [ModelRequest(section.text, ()) for section in sections]
        for section, step in zip(sections, steps, strict=True):
            tokens = await model.count(step)
            parts.append(_part(section.name, tokens, section.text))
            before += tokens
        with_tools = await model.count(ModelRequest(prompt.request.system, (), tools))
        wire = msgspec.json.encode(tools).decode() if tools else ""
        parts.append(_part("tools", max(0, with_tools - before), wire))
        total = await model.count(prompt.request)
        words = "".join(message.content for message in prompt.request.messages)
        parts.append(_part("conversation", max(0, total - with_tools), words))
        return {
            "profile": model.profile,
            "window": model.window,
            "total": total,
            "parts": parts,
            "view": _view_of(history, prompt.cut, view.scale),
            "method": "tokenizer" if self._shelf.counts(model) else "estimate",
        }


def _view_of(history: Sequence[Message], cut: Cut, scale: Scale) -> dict[str, Json]:
    """What became of the conversation's messages, in tokens by the model's scale."""
    chats = [chat for message in history for chat in chat_messages(message)]
    found = account(chats, cut)
    shares = {
        name: {
            "messages": share.messages,
            "tokens": scale.tokens(share.bytes) if share.messages else 0,
            "shown": scale.tokens(share.shown) if share.shown else 0,
        }
        for name in found.__struct_fields__
        for share in (getattr(found, name),)
    }
    saved = sum(share["tokens"] - share["shown"] for share in shares.values())
    digests = len(cut.digest.encode()) + len(cut.gap_digest.encode())
    return {"by": cut.by, "saved": max(0, saved), "digest_bytes": digests, **shares}


def _part(name: str, tokens: int, text: str) -> dict[str, Json]:
    return {"name": name, "tokens": tokens, "bytes": len(text.encode())}


def _job(job: Job) -> dict[str, Json]:
    return {
        "id": job.id,
        "when": job.when_text,
        "task": job.task,
        "state": job.state,
        "next_due": rfc3339(job.next_due) if job.next_due is not None else None,
        "created": rfc3339(job.created),
        "root": job.root,
        "conversation": job.conversation,
    }


def _run(run: Run) -> dict[str, Json]:
    return {
        "id": run.id,
        "scheduled_for": rfc3339(run.scheduled_for),
        "state": run.state,
        "started": rfc3339(run.started) if run.started is not None else None,
        "finished": rfc3339(run.finished) if run.finished is not None else None,
        "result": run.result,
    }
