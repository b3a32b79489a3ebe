"""The engine process on xllamacpp: llama.cpp's own OpenAI-compatible server on a unix socket.

Run as a process of its own, imported by nobody: a crash in native code costs a turn, not the
node. The socket lies in its owner's 0700 directory; there is no TCP port, and every path but
/health wants the key.
"""

import sys

import xllamacpp

from hermes.models.engine_child import EngineChild
from hermes.models.engine_wire import EngineOptions

_ERRORS_ONLY = 1


def parameters_of(options: EngineOptions) -> "xllamacpp.CommonParams":
    """The server's parameters."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.model
    parameters.n_ctx = options.window * options.slots  # the slots share it out
    parameters.n_parallel = options.slots
    parameters.cpuparams.n_threads = options.threads
    parameters.cpuparams_batch.n_threads = options.threads
    parameters.cache_ram_mib = options.cache_ram_mib  # its own default is 8 GiB
    parameters.hostnames = [options.uds]  # without it: a TCP port that any local user can reach
    parameters.api_keys = [options.key]
    parameters.endpoint_slots = True
    parameters.slot_save_path = options.slots_dir
    parameters.ui = False
    parameters.verbosity = _ERRORS_ONLY
    return parameters


def main() -> None:
    """Serve until the owner goes; exit code 1, the reason on stderr, when the model won't load."""
    child = EngineChild()
    try:
        server = xllamacpp.Server(parameters_of(child.options))
    except RuntimeError as error:
        sys.exit(f"{error}")
    child.ready()
    child.stay()
    del server  # it serves as long as it is held


if __name__ == "__main__":
    main()
