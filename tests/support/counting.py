"""A pytest plugin: the last line of every run is `N passed, N failed`, with the skipped when there are any."""

COUNTED = {"passed": ("passed",), "failed": ("failed", "error"), "skipped": ("skipped",)}


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    counts = {name: sum(len(stats.get(key, [])) for key in keys) for name, keys in COUNTED.items()}
    line = f"{counts['passed']} passed, {counts['failed']} failed"
    if counts["skipped"]:
        line += f", {counts['skipped']} skipped"
    terminalreporter.config.closing_line = line


def pytest_unconfigure(config):
    if getattr(config, "closing_line", None):
        print(config.closing_line)
