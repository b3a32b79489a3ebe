"""One turn of pydantic-ai with a shell tool: `pydantic_turn.py URL PROMPT`.

Runs under the peers' own Python, where Hermes is not installed.
"""

import asyncio  # noqa: TID251 - a peer's script, not ours to run on anyio
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

url, prompt = sys.argv[1:]
model = OpenAIChatModel("fake", provider=OpenAIProvider(base_url=url, api_key="x"))
agent = Agent(model, system_prompt="You are an agent with a shell.")


@agent.tool_plain
async def bash(command: str) -> str:
    """Run a command in a shell and return what it prints.

    Args:
        command: what to run.
    """
    child = await asyncio.create_subprocess_exec(
        "bash", "-lc", command, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    return output.decode()


print(agent.run_sync(prompt).output)
