"""The embedded Nostr relay: nostr-sdk's LocalRelay over our own database, policy and front door.

Apart from the mesh: a node may run without it, and it without a node (`hermes relay`).
"""
