"""What the log says of a start."""

from tests.support.server import ServerUnderTest


def test_the_log_tells_of_a_schema_once_it_is_made_and_not_at_each_start():
    with ServerUnderTest() as server:
        first = server.log.read_text(errors="replace")
        assert first.count("database schema made") == 1 and "schema migrated" not in first, first
        server.stop()
        server.log.write_text("")
        server.start()
        assert "schema" not in server.log.read_text(errors="replace")
