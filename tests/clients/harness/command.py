"""Running clients that are programs, and the files they read and write."""

import os
import subprocess
import tempfile
from pathlib import Path

#: Goes away with the test's home directory.
DIRECTORY = Path(tempfile.mkdtemp(dir=os.environ.get("HOME")))


class Failed(Exception):
    """A program ended with another exit code than 0."""


def run(*arguments, environment=None, text=True):
    """Standard output of a program that must succeed."""
    arguments = [str(argument) for argument in arguments]
    done = subprocess.run(
        arguments, capture_output=True, cwd=DIRECTORY, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    if done.returncode != 0:
        output = (done.stdout[-2000:] + done.stderr[-4000:]).decode(errors="replace")
        raise Failed(f"{arguments} ended with {done.returncode}\n{output}")
    return done.stdout.decode() if text else done.stdout


def fails(says, *arguments, environment=None):
    """A program that must fail and say this, on whichever output."""
    try:
        run(*arguments, environment=environment)
    except Failed as failed:
        assert says in str(failed), failed
        return
    raise AssertionError(f"{arguments} did not fail")


def upload(content):
    """A file with this content."""
    path = DIRECTORY / "upload"
    path.write_bytes(content)
    return path


def download():
    """Where a file may go that is not there yet."""
    path = DIRECTORY / "download"
    path.unlink(missing_ok=True)
    return path


def files(name, contents_by_path):
    """A directory with these files."""
    root = DIRECTORY / name
    for path, content in contents_by_path.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


def tree(name):
    """A directory with a few files in directories, for programs that synchronise."""
    paths = ["one", "deep/two words", "deep/er/three \u00fc+"]
    return files(name, {path: os.urandom(3000 + number) for number, path in enumerate(paths)})


def contents(root):
    """Every file below a directory with its bytes."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
