"""Whether the settings let an anchor be made at all: a server, the right network, three keys.

Asked before anything is loaded or dialled. The signer asks all of it again for itself.
"""

from hermes.config import Settings
from hermes.errors import NotAvailable, Refused


def check_allowed(settings: Settings, fingerprint: str, *, regtest: bool) -> None:
    """Raises Refused or NotAvailable; `regtest`: the person wants no other network."""
    chain = settings.chain
    if regtest and chain.network != "regtest":
        raise Refused(f"--regtest, and the settings say {chain.network}", "set chain.network")
    if not chain.backend:
        raise NotAvailable(
            "no chain server is configured",
            "set chain.backend, or try: python -m hermes.testing.regtest",
        )
    if chain.network != "main":
        return
    if settings.mainnet != "yes":
        raise Refused(
            "the main network takes three keys; the second is missing",
            "set HERMES_V2_MAINNET=yes in the node's environment",
        )
    if not fingerprint:
        raise Refused(
            "the main network takes the identity's fingerprint, typed by a person",
            "run `hermes anchor now` in a terminal, or give --fingerprint",
        )
