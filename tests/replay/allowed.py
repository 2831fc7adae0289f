"""The differences between a recorded answer and ours that are allowed: all of them, each with its reason.

Answers are compared byte for byte after these, and only these, were levelled out on both sides.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """A pattern in the bytes of an answer, what both sides are levelled to, and why."""

    why: str
    pattern: str
    level: str


TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{0,6}[1-9])?Z"

# The form is part of each pattern: a value of another form is not levelled and shows as a difference.
ALLOWED = [
    Difference(
        "cookies are sealed by each server with its own key (and blanked in the recordings)",
        r"<EncryptedData>[A-Za-z0-9+/]+={0,2}</EncryptedData>",
        "<EncryptedData>sealed</EncryptedData>",
    ),
    Difference(
        "authorization cookies likewise",
        r"<CookieData>[A-Za-z0-9+/]+={0,2}</CookieData>",
        "<CookieData>sealed</CookieData>",
    ),
    Difference(
        "a cookie expires an hour after this handshake, not after the recorded one",
        rf"<Expiration>{TIME}</Expiration>",
        "<Expiration>then</Expiration>",
    ),
    Difference(
        "the configuration of this server changed when it was made",
        rf"<LastChange>{TIME}</LastChange>",
        "<LastChange>then</LastChange>",
    ),
    Difference(
        "deployments came to be when the documents were imported here",
        r"<LastChangeTime>\d{4}-\d\d-\d\d</LastChangeTime>",
        "<LastChangeTime>then</LastChangeTime>",
    ),
    Difference(
        "deployment ids are each server's own, in a number space of their own (observed-behaviour 3.2)",
        r"<Deployment><ID>[1-9]\d*</ID>",
        "<Deployment><ID>own</ID>",
    ),
    Difference(
        "the recording has blanked a number in a link",
        r"(fwlink/\?)[Ll]ink[Ii]d=(?:\d+|REDACTED)",
        r"\1LinkId=blanked",
    ),
    Difference(
        "content comes from the port this server listens on; the host is the one of the request",
        r"(<Url>http://192\.0\.2\.1):\d+/",
        r"\1:port/",
    ),
]

# Headers whose values are of this moment or of the product, and headers agents do without
# (observed-behaviour 1.2: the agent does not need Server and X-*).
ABSENT_HEADERS = {"server", "x-aspnet-version", "x-powered-by"}
OWN_VALUE_HEADERS = {"date", "last-modified", "etag", "content-length"}

# Arrays whose order means nothing on real servers (observed-behaviour 3.3 rule 8, 4), and their members. Extended
# fragments come by ascending id there; ids being each server's own, ascending order is asserted apart.
UNORDERED = [
    (r"<NewUpdates>.*?</NewUpdates>", r"<UpdateInfo>.*?</UpdateInfo>"),
    (r"<ChangedUpdates>.*?</ChangedUpdates>", r"<UpdateInfo>.*?</UpdateInfo>"),
    (r"<FileLocations>.*?</FileLocations>", r"<FileLocation>.*?</FileLocation>"),
    (r"<Updates>.*?</Updates>", r"<Update><ID>\d+</ID><Xml>&lt;LocalizedProperties&gt;.*?</Update>"),
    (r"<Updates>.*?</Updates>", r"<Update><ID>\d+</ID><Xml>&lt;ExtendedProperties .*?</Update>"),
]


def in_common_order(array: str, member: str) -> str:
    """An array with its members of one kind sorted; everything else keeps its place."""
    supply = iter(sorted(re.findall(member, array, re.DOTALL)))
    return re.sub(member, lambda _: next(supply), array, flags=re.DOTALL)


def levelled(body: bytes, ids: dict[int, int] | None = None) -> str:
    """The text of an answer with the allowed differences levelled. `ids` maps the revision ids of this
    side to common ones; an id that is not in it stays and shows."""
    text = body.decode("utf-8")
    for difference in ALLOWED:
        text = re.sub(difference.pattern, difference.level, text)
    for number_place in (r"(<UpdateInfo><ID>)(\d+)(</ID>)", r"(<Update><ID>)(\d+)(</ID>)"):
        text = re.sub(number_place, lambda m: f"{m[1]}{(ids or {}).get(int(m[2]), int(m[2]))}{m[3]}", text)
    for array, member in UNORDERED:
        text = re.sub(array, lambda m, member=member: in_common_order(m[0], member), text, flags=re.DOTALL)
    return text


def assert_same(recorded: bytes, ours: bytes, recorded_ids=None, our_ids=None) -> None:
    """Equal after levelling; shows the surroundings of the first difference."""
    left, right = levelled(recorded, recorded_ids), levelled(ours, our_ids)
    if left == right:
        return
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    around = slice(max(at - 200, 0), at + 200)
    raise AssertionError(f"answers part at character {at}:\nrecorded: {left[around]}\nours:     {right[around]}")


def assert_extended_ascending(body: bytes) -> None:
    """Extended fragments stand before all others, by ascending id (observed-behaviour 4)."""
    found = re.findall(r"<Update><ID>(\d+)</ID><Xml>&lt;(\w+)", body.decode("utf-8"))
    kinds = [kind for _, kind in found]
    assert kinds == sorted(kinds), "ExtendedProperties before LocalizedProperties"
    ids = [int(number) for number, kind in found if kind == "ExtendedProperties"]
    assert ids and ids == sorted(set(ids))
