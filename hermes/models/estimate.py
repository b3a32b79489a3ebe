"""How many tokens a prompt has where nobody can count: bytes over 3.5.

Apart because a client without a tokenizer and the scripted model share it. It does not
know the template's own words.
"""

import msgspec

from hermes.core.model import ModelRequest

_BYTES_PER_TOKEN = 3.5
_PER_MESSAGE = 4  # role, start and end


def estimate_text(text: str) -> int:
    """Tokens of a text, rounded up."""
    return int(-(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN))


def estimate(request: ModelRequest) -> int:
    """Tokens of a whole prompt."""
    tools = msgspec.json.encode(request.tools).decode() if request.tools else ""
    total = estimate_text(request.system) + estimate_text(tools) + _PER_MESSAGE
    for message in request.messages:
        total += estimate_text(message.content) + _PER_MESSAGE
        total += sum(estimate_text(call.name + call.arguments) for call in message.calls)
    return total
