"""The Merkle log's tables: a leaf is a row of `blocks`, in order; see `hermes.store.ledger`."""

LOG: tuple[str, ...] = ()
