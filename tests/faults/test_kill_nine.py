"""kill -9 during import, content ingest and event upload, then a restart over the same folder."""

import hashlib
import threading
import time

import pytest

from conformance.wire.client import Computer
from conformance.wire.http import exchange
from tests.support.admin import AdminError
from tests.support.documents import Payload, category, software
from tests.support.server import ServerUnderTest

from .conftest import ROUNDS, kill


def base_documents():
    company = category("fault company", "Company")
    family = category("fault family", "ProductFamily", [company.id])
    product = category("fault product", "Product", [family.id])
    kind = category("fault classification", "UpdateClassification")
    return company, family, product, kind


def many(count: int, tag: str):
    """Updates of one product, each with a file of its own."""
    *_, product, kind = base_documents()
    return [
        software(
            f"fault {tag} {n}",
            [[product.id]],
            [[product.id], [kind.id]],
            deployable=True,
            files=[Payload(f"fault-{tag}-{n}.cab", f"{tag} {n} ".encode() * 200)],
        )
        for n in range(count)
    ]


def named(documents) -> dict[str, bytes]:
    return {document.name + ".xml": document.bytes() for document in documents}


def titles(server) -> set[str]:
    listed = server.admin.updates(limit=10000)
    rows = listed if isinstance(listed, list) else listed["updates"]
    return {row["update_id"].lower() for row in rows}


def scanned(server) -> set[str]:
    """What a fresh computer is told of."""
    return {update.update_id.lower() for update in Computer(server.base).handshake().scan().updates.values()}


def in_background(action):
    """Runs `action` beside the test; its result or error comes from the returned function."""
    outcome = {}

    def run():
        try:
            outcome["result"] = action()
        except (OSError, AdminError, AssertionError, ValueError, EOFError) as error:
            outcome["error"] = error
        except Exception as error:  # noqa: BLE001 - whatever a cut connection raises
            outcome["error"] = error

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join(60)
        assert not thread.is_alive(), "the client still waits for a server that is gone"
        return outcome

    return join


def test_an_import_killed_half_way_leaves_all_of_it_or_nothing(moments):
    with ServerUnderTest() as server:
        server.admin.import_all(named(base_documents()))
        before = titles(server)
        acknowledged: set[str] = set()
        for turn in range(ROUNDS):
            batch = many(400, f"import {turn}")
            ids = {document.id.lower() for document in batch}
            body = named(batch)
            join = in_background(lambda: server.admin.import_all(body))
            time.sleep(moments.uniform(0.0, 0.6))
            kill(server)
            outcome = join()
            server.start()
            now = titles(server)
            present = ids & now
            assert not (ids & now) or ids <= now, f"round {turn}: {len(present)} of {len(ids)} documents are there"
            if "result" in outcome:
                assert ids <= now, f"round {turn}: an acknowledged import is gone"
            if present:
                acknowledged |= ids
            assert before <= now and acknowledged <= now, f"round {turn}: something older is gone"
            assert acknowledged <= scanned(server), f"round {turn}: the catalog is not what computers are told"
        # The same import again must succeed whatever the kill left.
        server.admin.import_all(body)
        assert ids <= titles(server)


def test_a_file_killed_half_way_is_never_served(moments):
    size = 24 << 20
    data = moments.randbytes(1 << 16) * (size >> 16)
    payload = Payload("fault-big.cab", data)
    *_, product, kind = base_documents()
    update = software(
        "fault content", [[product.id]], [[product.id], [kind.id]], deployable=True, files=[payload]
    )
    with ServerUnderTest() as server:
        server.admin.import_all(named([*base_documents(), update]))
        for turn in range(ROUNDS):
            join = in_background(lambda: server.admin.add_content(payload.name, payload.data))
            time.sleep(moments.uniform(0.0, 0.25))
            kill(server)
            outcome = join()
            server.start()
            answer = exchange(server.base, "GET", payload.path)
            if "result" in outcome:
                assert answer.status == 200, f"round {turn}: an acknowledged file is gone"
            if answer.status == 200:
                assert hashlib.sha1(answer.raw).digest() == payload.sha1, f"round {turn}: a torn file is served"
                left = [p for p in (server.data / "Content").rglob("*") if p.is_file()]
                assert len(left) == 1, f"round {turn}: {left}"
                break
            assert answer.status == 404, f"round {turn}: HTTP {answer.status}"
        server.admin.add_content(payload.name, payload.data)
        assert hashlib.sha1(exchange(server.base, "GET", payload.path).raw).digest() == payload.sha1


def test_acknowledged_events_survive(moments):
    *_, product, kind = base_documents()
    failing = many(40, "events")
    with ServerUnderTest() as server:
        server.admin.import_all(named([*base_documents(), *failing]))
        acknowledged: set[str] = set()
        computer = Computer(server.base).handshake()
        waiting = list(failing)
        for turn in range(ROUNDS):
            batch = [waiting.pop() for _ in range(min(8, len(waiting)))]
            sent: list[str] = []

            def upload():
                for update in batch:
                    # Event 182: the installation failed (observed-behaviour 6).
                    failure = computer.event(182, update.identity, -2147467259, ["0x80004005", update.name])
                    assert computer.report([failure]) == "true"
                    sent.append(update.id.lower())

            join = in_background(upload)
            time.sleep(moments.uniform(0.0, 0.3))
            kill(server)
            join()
            acknowledged |= set(sent)
            server.start()
            computer.base = server.base
            computer.handshake()
            rows = server.admin.computer(computer.id)["updates"]
            failed = {row["update_id"].lower() for row in rows if row["state"].lower() == "failed"}
            assert acknowledged <= failed, f"round {turn}: acknowledged but gone: {acknowledged - failed}"
        assert failed <= {update.id.lower() for update in failing}


def test_the_group_a_computer_asked_for_survives():
    *_, product, kind = base_documents()
    update = software("fault spared", [[product.id]], [[product.id], [kind.id]], deployable=True)
    with ServerUnderTest() as server:
        server.admin.configure(targeting="client")
        for group in ("Spared", "Others"):
            server.admin.create_group(group)
        server.admin.import_all(named([*base_documents(), update]))
        server.admin.approve(update.id, "All Computers")
        server.admin.unapprove(update.id, "Spared")
        computer = Computer(server.base, "Others").handshake()
        for group, action in (("Others", "Install"), ("Spared", "PreDeploymentCheck")):
            # It says so again, as agents do whose policy has changed; the second time without registering.
            computer.group = group
            computer.sign_on()
            kill(server)
            server.start()
            computer.base = server.base
            assert computer.scan().by_id(update.id).action == action, group


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_a_polite_end_finishes_what_was_begun(signal_name):
    import signal

    with ServerUnderTest() as server:
        server.admin.import_all(named([*base_documents(), *many(3, "polite")]))
        server.process.send_signal(getattr(signal, signal_name))
        assert server.process.wait(30) == 0, server.tail()
        server.start()
        assert len(titles(server)) == 3
