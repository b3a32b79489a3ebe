"""The engine process on llama-cpp-python: its server app under uvicorn on a unix socket.

The second engine, for machines where a native build pays. Run as a process of its own, imported
by nobody. Tool calls come back as text here; one conversation is answered at a time.
"""

import os
import socket
import sys

from hermes.models.engine_child import EngineChild
from hermes.models.engine_wire import EngineOptions

try:
    import uvicorn
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import ModelSettings, ServerSettings
except ModuleNotFoundError:
    create_app = None

_BACKLOG = 128


def app_of(options: EngineOptions) -> "uvicorn._types.ASGIApplication":
    """The server's app; the model is loaded when this returns."""
    model = ModelSettings(
        model=options.model,
        n_ctx=options.window,
        n_threads=options.threads,
        n_threads_batch=options.threads,
        verbose=False,
    )  # no `cache`: it would copy the logits of a whole batch after every answer
    os.environ.pop("CONFIG_FILE", None)  # the app would take its key and its model from there
    # With `interrupt_requests` a second conversation would cut the first one short.
    server = ServerSettings(api_key=options.key, interrupt_requests=False)
    app: uvicorn._types.ASGIApplication = create_app(server_settings=server, model_settings=[model])
    return app


def main() -> None:
    """Serve until the owner goes; exit code 1, the reason on stderr, when the model won't load."""
    child = EngineChild()
    if create_app is None:
        child.missing("llama-cpp-python is not installed (extra llama-cpp-python)")
    try:
        app = app_of(child.options)
    except (ValueError, RuntimeError, AssertionError) as error:
        sys.exit(f"the model cannot be loaded: {error}")
    # Bound here, because uvicorn makes a socket that it opens itself writable for everybody.
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(child.options.uds)
        door.listen(_BACKLOG)
        child.ready()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        server.run(sockets=[door])


if __name__ == "__main__":
    main()
