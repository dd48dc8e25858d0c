"""pyarrow, the reader of most Parquet datasets. It uploads in parts, however little there is."""

import pyarrow
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
from harness import suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

files = pyarrow.fs.S3FileSystem(
    endpoint_override=ENDPOINT,
    region="us-east-1",
    allow_bucket_creation=True,
    **choose({}, {"tls_ca_file_path": CA}, {"tls_verify_certificates": False}),
)


class Client:
    def make_bucket(self):
        files.create_dir(BUCKET)

    def get(self, key):
        with files.open_input_stream(f"{BUCKET}/{key}") as stream:
            return stream.read()

    def head(self, key):
        with files.open_input_file(f"{BUCKET}/{key}") as file:
            kind = file.metadata()["Content-Type"].decode()
        return files.get_file_info(f"{BUCKET}/{key}").size, kind, None

    def range(self, key, first, last):
        with files.open_input_file(f"{BUCKET}/{key}") as file:
            return file.read_at(last - first + 1, first)

    def list(self, prefix):
        selector = pyarrow.fs.FileSelector(f"{BUCKET}/{prefix}", recursive=True)
        found = [entry for entry in files.get_file_info(selector) if entry.is_file]
        return [entry.path.removeprefix(f"{BUCKET}/") for entry in found]

    def refuses_missing(self, key):
        try:
            files.open_input_stream(f"{BUCKET}/{key}")
        except FileNotFoundError:
            return
        raise AssertionError("no error")

    def delete(self, key):
        files.delete_file(f"{BUCKET}/{key}")


def more():
    table = pyarrow.table({"number": list(range(10_000)), "text": [f"row {number}" for number in range(10_000)]})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, row_group_size=1000)
    for part in range(3):
        witness.put(f"table/{part}.parquet", sink.getvalue().to_pybytes())
    dataset = pyarrow.dataset.dataset(f"{BUCKET}/table", filesystem=files)
    assert dataset.count_rows() == 30_000
    read = dataset.to_table(columns=["text"], filter=pyarrow.dataset.field("number") == 4711)
    assert read.column("text").to_pylist() == ["row 4711"] * 3
    print("ok: a Parquet dataset")
    files.create_dir(f"{BUCKET}/made")
    assert witness.keys("made/") == ["made/"]
    files.delete_dir(f"{BUCKET}/table")
    assert witness.keys("table/") == []
    print("ok: directories made and removed")
    if needs("copy"):
        witness.put("from", b"copied")
        files.move(f"{BUCKET}/from", f"{BUCKET}/moved")
        assert witness.get("moved").content == b"copied" and witness.get("from") is None
        print("ok: move")
    if needs("multipart"):
        with files.open_output_stream(f"{BUCKET}/parts", metadata={"Content-Type": "text/x-test"}) as stream:
            stream.write(sink.getvalue())
        seen = witness.get("parts")
        assert seen.content == sink.getvalue().to_pybytes() and seen.content_type == "text/x-test"
        print("ok: uploads")


# It takes `a//b` apart into directories, and sees only one slash.
suite.run(Client(), odd_keys=[key for key in suite.samples.ODD_KEYS if "//" not in key], extra=more)
