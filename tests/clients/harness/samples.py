"""The contents and keys that every client has to get right."""

import random

CONTENT_TYPE = "text/x-test"
METADATA = {"colour": "blue", "shape": "round"}

#: Nothing, a byte, a page, more than the store keeps in its log, and a file of its own in the store.
SIZES = [0, 1, 4096, 300 * 1024, 5 * 1024 * 1024 + 4321]

ODD_KEYS = [
    "a b",
    "a//b",
    "a+b",
    "100%",
    "50%25",
    "dir/deep/\u00fc\u00f6",
    "\u65e5\u672c\u8a9e",
    "\U0001f980",
    "&=;@,$",
    "(1)'!*",
    "~tilde-._",
]


def content(size, seed=1):
    """So many bytes that no compression, text mode or off-by-one survives."""
    return random.Random(f"{seed}-{size}").randbytes(size)
