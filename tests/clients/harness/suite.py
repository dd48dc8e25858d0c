"""What every client goes through. A script says what its client can do by the methods it gives its class:

make_bucket()                    list(prefix) -> keys, in pages smaller than what is there
put(key, content, content_type, metadata)    head(key) -> (size, content type, metadata), None for what it cannot tell
get(key) -> bytes                delete(key)
range(key, first, last) -> bytes            delete_all(keys)
presign(key) -> URL              refuses_missing(key): fails unless the client reports the missing object

A program that takes a second to start sets `starts_slowly`, has put_files({key: bytes}) and get_files(prefix) for many
at once, and is started less often.

Bytes and metadata are checked with the witness: what a client says of itself, and its exit code, is not enough.
"""

import os
import sys

from harness import samples, witness
from harness.store import WITNESS_PUTS


def run(client, odd_keys=tuple(samples.ODD_KEYS), sizes=tuple(samples.SIZES), extra=None):
    """Runs all of it, then `extra`, and says so on the last line."""
    has = lambda name: hasattr(client, name)
    if has("make_bucket") and not WITNESS_PUTS:
        client.make_bucket()
        assert witness.has_bucket(), "no bucket was made"
    else:
        witness.make_bucket()
    client_puts = has("put") and not WITNESS_PUTS
    put = client.put if client_puts else witness.put
    if not client_puts:
        print("uploads: by the witness")
    _sizes(client, put, client_puts, sizes)
    _keys(client, put, odd_keys)
    _listing(client)
    if has("refuses_missing"):
        client.refuses_missing("never/was")
        print("ok: a missing object")
    if has("presign"):
        witness.put("pre signed+\u00fc", b"by url")
        assert witness.open_url(client.presign("pre signed+\u00fc")) == (200, b"by url")
        print("ok: presigned URLs")
    if extra:
        extra()
    _delete(client)
    witness.remove_bucket()
    print("all passed")
    sys.stdout.flush()
    # Some clients keep threads of their own that outlive the interpreter's end badly.
    os._exit(0)


def _sizes(client, put, client_puts, sizes):
    starts_slowly = getattr(client, "starts_slowly", False)
    for size in sizes:
        key, content = f"sizes/{size}", samples.content(size)
        # Twice: the second is an overwrite, with other bytes of the same length.
        if not starts_slowly or size == sizes[-1]:
            put(key, samples.content(size, seed=2), None, None)
        put(key, content, samples.CONTENT_TYPE, samples.METADATA)
        seen = witness.get(key)
        assert seen and seen.content == content, f"{size} bytes came out differently"
        if client_puts and getattr(client, "sets_metadata", True):
            assert seen.content_type == samples.CONTENT_TYPE, seen.content_type
            assert seen.metadata.items() >= samples.METADATA.items(), seen.metadata
        assert client.get(key) == content, f"{size} bytes were read differently"
        if hasattr(client, "head"):
            _head(client.head(key), (size, seen.content_type, seen.metadata))
        if hasattr(client, "range") and size > 1000:
            for first, last in [(999, 4000)] if starts_slowly else [(0, 0), (999, 4000), (size - 5, size - 1)]:
                assert client.range(key, first, last) == content[first : last + 1], (first, last)
    print(f"ok: {len(sizes)} sizes up to {max(sizes)} bytes, overwrites, metadata, ranges")


def _head(told, known):
    size, content_type, metadata = told
    assert size == known[0], (told, known)
    assert content_type in (None, known[1]), (told, known)
    # Some programs add fields of their own, such as a file's time.
    for name in samples.METADATA if metadata is not None else []:
        assert metadata.get(name) == known[2].get(name), (told, known)


def _keys(client, put, odd_keys):
    one_by_one = odd_keys
    if getattr(client, "starts_slowly", False):
        # What can be a file's name goes up and down at once.
        one_by_one = [key for key in odd_keys if "//" in key]
        files = {f"odd/{key}": f"content of {key}".encode() for key in odd_keys if key not in one_by_one}
        client.put_files(files)
        assert {key: witness.get(key).content for key in witness.keys("odd/")} == files
        assert client.get_files("odd/") == files
    for key in one_by_one:
        content = f"content of {key}".encode()
        put(key, content, None, None)
        seen = witness.get(key)
        assert seen and seen.content == content, key
        assert client.get(key) == content, key
    print(f"ok: {len(odd_keys)} odd keys")
    left_out = [key for key in samples.ODD_KEYS if key not in odd_keys]
    if left_out:
        print(f"left out: the client does not pass on these keys as they are: {left_out}")


def _listing(client):
    for number in range(13):
        witness.put(f"many/dir {number % 3}/{number:02}\u00fc", b"x")
    if hasattr(client, "list"):
        expected = witness.keys("many/")
        assert len(expected) == 13
        assert sorted(client.list("many/"), key=str.encode) == expected
        print("ok: listings")


def _delete(client):
    left = witness.keys()
    first, rest = left[0], left[1:]
    if hasattr(client, "delete"):
        client.delete(first)
        assert witness.keys() == rest, first
        print("ok: deletes")
    if hasattr(client, "delete_all"):
        client.delete_all(witness.keys())
        assert witness.keys() == []
        print("ok: bulk deletes")
    for key in witness.keys():
        witness.delete(key)
