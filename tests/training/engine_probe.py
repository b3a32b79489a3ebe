"""Asks llama.cpp for the likeliest tokens: a process of its own, one JSON line in, one out.

`{"model", "uds", "adapter"?, "prompts": [ids or text]}` in; for each prompt `{"tokens", "top"}`
out: how many tokens it was, and the likeliest next ones with their log probabilities.
"""

import json
import sys

import xllamacpp
from engine_exact import exact


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    parameters = exact(asked)
    if "adapter" in asked:
        given = xllamacpp.CommonAdapterLoraInfo()
        given.path, given.scale = asked["adapter"], 1.0
        parameters.lora_adapters = [given]
    server = xllamacpp.Server(parameters)
    out = []
    for prompt in asked["prompts"]:
        body = {"prompt": prompt, "n_predict": 1, "n_probs": 40, "temperature": 0}
        # A token that ends the text, or half a character, is given without its probabilities.
        body["grammar"] = "root ::= [ -~]+"
        found = server.handle_completions(body)
        top = found["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        likely = [(one["id"], one["logprob"]) for one in top]
        out.append({"tokens": found["usage"]["prompt_tokens"], "top": likely})
    print(json.dumps(out))  # noqa: T201 - read by the test
    sys.stdout.flush()


if __name__ == "__main__":
    main()
