"""What a checked proof shows, and what it does not, in words for a person."""

from typing import Any

from hermes.core.clock import rfc3339
from hermes.gateway.render_text import clean, one_line
from hermes.load import load

_SETTLED = 6
_LIMITS = (
    "who that is: compare the Nostr key with one that you know",
    "that what the entry says is true, or that the time inside it is right",
    "when, before that block, it was written; miners' clocks err by up to two hours",
    "that the identity kept no other log, or who holds its keys today: hermes trust verify",
)


def words_of(found: Any, *, pinned: bool) -> list[str]:  # noqa: ANN401 - a `Verified`, loaded late
    """The lines for one `hermes.chain.offline.Verified`."""
    where = f"block {found.height} of {found.network}" if found.height is not None else "the block"
    return [
        "The proof holds.",
        "",
        *_entry(found),
        f"  is entry {found.index} of the log {found.log}, as it was with {found.size} entries,",
        f"  and existed before {where} was mined, {rfc3339(found.time)}:",
        f"  {found.block}",
        f"The log's checkpoint stands in transaction {found.txid},",
        "  paid by the coin of the identity that the log belongs to:",
        f"  Nostr key {load('npub').npub_of(found.nostr)}",
        f"  ({found.nostr}), genesis {found.genesis}",
        _growth(found),
        "",
        *_ground(found, pinned=pinned),
        "",
        "It does not show:",
        *(f"  - {limit}" for limit in _limits(found, pinned=pinned)),
    ]


def _entry(found: Any) -> list[str]:  # noqa: ANN401
    content = found.content
    if content is None:
        return [f"The entry {found.leaf} (the proof does not say what it holds)"]
    if not content.role:
        # The word is whoever's made the entry, and must not pass for lines of ours.
        return [f"The entry {found.leaf} (it calls itself {one_line(clean(content.kind), 64)!r})"]
    said = [f"  | {line}" for line in content.text.split("\n")]
    return [
        f"The message {found.leaf}",
        f"  by {content.role}, {_moment(content.at)} by its own clock:",
        *said,
    ]


def _moment(at: int) -> str:
    try:
        return rfc3339(at)
    except (ValueError, OverflowError):
        return f"{at} ms, no date,"


def _growth(found: Any) -> str:  # noqa: ANN401
    if found.earlier is not None:
        return f"Since the anchor before, with {found.earlier} entries, the log only grew."
    if found.before == "genesis":
        return "The anchor before it is the identity's genesis: this is its log's first."
    return (
        f"The anchor before it is a {found.before}, of which nothing is shown: hermes trust verify."
    )


def _ground(found: Any, *, pinned: bool) -> list[str]:  # noqa: ANN401
    if pinned:
        return ["It rests on the block that you named: that it is of the best chain is your word."]
    buried = "1 block holds it" if found.blocks == 1 else f"{found.blocks} blocks hold and bury it"
    return [
        f"It rests on the headers that you gave ({buried}), which begin with block",
        f"  {found.rests_on}",
    ]


def _limits(found: Any, *, pinned: bool) -> list[str]:  # noqa: ANN401
    limits = list(_LIMITS)
    if not pinned and found.blocks < _SETTLED:
        limits.append(f"that the block stays: fewer than {_SETTLED} blocks bury it")
    if found.network == "signet":
        limits.append("that signet's signers made the block: its header does not carry their name")
    if found.network == "regtest":
        limits.append("anything to others: on regtest whoever likes makes blocks, of any time")
    return limits
