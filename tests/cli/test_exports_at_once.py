"""Exports to one name at once, and what is left of one that was killed."""

import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from tests.cli.conftest import decided
from tests.cli.test_commands import run
from tests.support.places import binary


@contextmanager
def halting(base):
    """A way to a server on which the answer to an export halts after its first line, until the event is set."""
    host, port = base.removeprefix("http://").split(":")
    go_on = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def give(source, sink, halts):
        seen, halted = b"", not halts
        try:
            while piece := source.recv(65536):
                if not halted:
                    seen += piece
                    end = seen.find(b"\n", seen.find(b'"export"')) + 1 if b'"export"' in seen else 0
                    if end:
                        before = len(piece) - (len(seen) - end)
                        sink.sendall(piece[:before])
                        piece, halted = piece[before:], True
                        go_on.wait(60)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((host, int(port)))
            for way in ((client, server, False), (server, client, True)):
                threading.Thread(target=give, args=way, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", go_on
    finally:
        go_on.set()
        listener.close()


def begun(server, base, path):
    """An export that has begun to write its file."""
    before = set(path.parent.glob("*.part"))
    words = [binary(), "export", str(path), "--server", base, "--token-file", str(server.data / "admin-token")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 30
    while not (made := set(path.parent.glob("*.part")) - before):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.02)
    return process, made.pop()


@pytest.mark.parametrize("name", ["catalog.cab", "catalog.xml.gz"])
def test_each_of_two_exports_to_one_name_leaves_a_whole_package(parent, child, tmp_path, name):
    path = tmp_path / name
    with halting(parent.base) as (base, go_on):
        first, _ = begun(parent, base, path)
        assert "(0 B)" not in run(parent, "export", str(path))
        second = path.read_bytes()
        run(child, "import", str(path))
        assert decided(child) == decided(parent)
        assert path.read_bytes() == second, "the first has not touched it"
        go_on.set()
        said = first.communicate(timeout=60)[0]
        assert first.returncode == 0 and "(0 B)" not in said, said
    run(child, "import", str(path))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_what_a_killed_export_leaves_goes_with_the_next_and_one_under_way_stays(parent, tmp_path):
    path = tmp_path / "catalog.xml.gz"
    run(parent, "export", str(path))
    whole = path.read_bytes()
    with halting(parent.base) as (base, go_on):
        killed, left = begun(parent, base, path)
        killed.kill()
        killed.wait()
        living, written = begun(parent, base, path)
        assert path.read_bytes() == whole
        long_ago = time.time() - 600
        for part in (left, written):
            os.utime(part, (long_ago, long_ago))
        run(parent, "export", str(path))
        assert not left.exists() and written.exists()
        go_on.set()
        assert living.wait(60) == 0
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
