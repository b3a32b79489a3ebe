"""NIP-44 version 2, written from its text alone: what the library is checked against."""

import base64
import hashlib
import hmac
import struct

from coincurve import PrivateKey, PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

MOST = 65_535


def conversation_key(secret: str, public: str) -> bytes:
    shared = PublicKey(b"\2" + bytes.fromhex(public)).multiply(PrivateKey.from_hex(secret).secret)
    return hmac.digest(b"nip44-v2", shared.format()[1:], "sha256")


def message_keys(key: bytes, nonce: bytes) -> tuple[bytes, bytes, bytes]:
    made = HKDFExpand(SHA256(), 76, nonce).derive(key)
    return made[:32], made[32:44], made[44:]


def padded_length(size: int) -> int:
    if size <= 32:
        return 32
    power = 1 << (size - 1).bit_length()
    chunk = 32 if power <= 256 else power // 8
    return chunk * ((size - 1) // chunk + 1)


def pad(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= MOST:
        raise ValueError("1 to 65,535 bytes")
    return struct.pack(">H", len(data)) + data.ljust(padded_length(len(data)), b"\0")


def seal(key: bytes, nonce: bytes, padded: bytes) -> str:
    chacha, start, mac = message_keys(key, nonce)
    hidden = _chacha(chacha, start, padded)
    tag = hmac.digest(mac, nonce + hidden, "sha256")
    return base64.b64encode(b"\2" + nonce + hidden + tag).decode()


def encrypt(key: bytes, nonce: bytes, text: str) -> str:
    return seal(key, nonce, pad(text))


def decrypt(key: bytes, payload: str) -> str:
    if not 132 <= len(payload) <= 87_472 or payload.startswith("#"):
        raise ValueError("no payload of version 2")
    data = base64.b64decode(payload, validate=True)
    if not 99 <= len(data) <= 65_603 or data[0] != 2:
        raise ValueError("no payload of version 2")
    nonce, hidden, tag = data[1:33], data[33:-32], data[-32:]
    chacha, start, mac = message_keys(key, nonce)
    if not hmac.compare_digest(hmac.digest(mac, nonce + hidden, "sha256"), tag):
        raise ValueError("its authentication does not hold")
    padded = _chacha(chacha, start, hidden)
    size = struct.unpack(">H", padded[:2])[0]
    text = padded[2 : 2 + size]
    if not size or len(text) != size or len(padded) != 2 + padded_length(size):
        raise ValueError("its padding does not hold")
    return text.decode()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _chacha(key: bytes, nonce: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.ChaCha20(key, b"\0" * 4 + nonce), None).encryptor().update(data)
