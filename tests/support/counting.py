"""A pytest plugin: the last line of every run is `N passed, N failed`, and nothing passed is no success."""

COUNTED = {"passed": ("passed",), "failed": ("failed", "error"), "skipped": ("skipped",), "xfailed": ("xfailed",)}


def pytest_configure(config):
    config._counted_lines = None


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    counts = {name: sum(len(stats.get(key, [])) for key in keys) for name, keys in COUNTED.items()}
    line = f"{counts['passed']} passed, {counts['failed']} failed"
    more = [f"{counts[name]} {word}" for name, word in (("skipped", "skipped"), ("xfailed", "known to differ")) if counts[name]]
    terminalreporter.config._counted_lines = line + (f" ({', '.join(more)})" if more else "")


def pytest_unconfigure(config):
    if getattr(config, "_counted_lines", None):
        print(config._counted_lines)
