"""webdataset: shards of a training set, streamed by the curl it starts, from presigned URLs."""

import io
import tarfile

from harness import samples, witness
from harness.signing import presigned
from harness.store import BUCKET, CA, choose

import webdataset

SHARDS, SAMPLES = 4, 25
CURL = "curl --silent --show-error --fail -L " + choose("", f"--cacert {CA}", "--insecure")


def shard(number):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for sample in range(number * SAMPLES, (number + 1) * SAMPLES):
            for name, content in [("bin", samples.content(3000, seed=sample)), ("cls", str(sample).encode())]:
                entry = tarfile.TarInfo(f"{sample:04}.{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


witness.make_bucket()
for number in range(SHARDS):
    witness.put(f"train-{number}.tar", shard(number))
urls = [f"pipe:{CURL} '{presigned('GET', BUCKET, f'train-{number}.tar')}'" for number in range(SHARDS)]
dataset = webdataset.WebDataset(urls, shardshuffle=False).decode().to_tuple("bin", "cls")
seen = {label: bytes(content) for content, label in dataset}
assert seen == {sample: samples.content(3000, seed=sample) for sample in range(SHARDS * SAMPLES)}
print("ok: every sample of every shard")
missing = f"pipe:{CURL} '{presigned('GET', BUCKET, 'never.tar')}'"
try:
    list(webdataset.WebDataset([missing], shardshuffle=False))
except Exception as error:
    # curl ended with 22 and no bytes.
    assert "empty file" in str(error) or "exit" in str(error), error
    print("ok: a missing object")
else:
    raise AssertionError("no error")
for key in witness.keys():
    witness.delete(key)
witness.remove_bucket()
print("all passed")
