"""A regtest chain on Bitcoin Core's own engine, with a Core-style RPC: for tests and for trying."""

from hermes.testing.regtest.chain import Regtest

__all__ = ["Regtest"]
