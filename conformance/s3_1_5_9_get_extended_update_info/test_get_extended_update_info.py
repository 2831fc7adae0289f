"""MS-WUSP 3.1.5.9: GetExtendedUpdateInfo."""

import pytest

from conformance.judging import assert_fault
from conformance.wire.answers import child_text, children, fragment, ints, items
from conformance.wire.soap import CLIENT

BOTH = ["Extended", "LocalizedProperties"]


def parts(result) -> list[tuple[int, str]]:
    return [(int(child_text(node, "ID")), child_text(node, "Xml")) for node in items(result, "Updates")]


def refused(computer, content: str, name: str) -> None:
    fault = assert_fault(computer.send(CLIENT, "GetExtendedUpdateInfo", content), "InvalidParameters")
    assert name.lower() in (fault["Message"] or "").lower(), fault["Message"]


@pytest.mark.spec("3.1.5.9")
def test_info_types_must_be_present(computer):
    refused(computer, computer.extended_content([1], None), "infoTypes")


@pytest.mark.spec("3.1.5.9")
def test_revisions_must_be_present(computer):
    refused(computer, computer.extended_content(None, ["Extended"]), "revisionIDs")


@pytest.mark.spec("3.1.5.9")
@pytest.mark.parametrize("kind", ["LocalizedProperties", "Eula"])
def test_locales_must_be_present_for_texts(computer, kind):
    refused(computer, computer.extended_content([1], [kind], locales=None), "locales")


@pytest.mark.spec("3.1.5.9")
def test_locales_are_not_needed_for_the_rest(computer):
    reply = computer.call(CLIENT, "GetExtendedUpdateInfo", computer.extended_content([1], ["Extended"], locales=None))
    assert reply.result() is not None


@pytest.mark.spec("3.1.5.9")
def test_an_unknown_info_type_is_refused(computer):
    refused(computer, computer.extended_content([1], ["Everything"]), "infoTypes")


@pytest.mark.observed("4")
def test_fifty_revisions_are_taken(computer):
    """The specification wants fewer than MaxExtendedUpdatesPerRequest; real servers take as many."""
    assert computer.extended(list(range(1, 51))) is not None


@pytest.mark.spec("3.1.5.9")
def test_more_than_the_configured_number_is_refused(computer):
    refused(computer, computer.extended_content(list(range(1, 52)), ["Extended"]), "revisionIDs")


@pytest.mark.spec("3.1.5.9")
def test_revisions_that_are_not_deployed_are_called_out_of_scope(computer):
    result = computer.extended([1_999_999_999])
    assert ints(result, "OutOfScopeRevisionIDs") == [1_999_999_999]
    assert parts(result) == []


@pytest.mark.spec("3.1.5.9")
def test_every_scanned_revision_has_its_fragments(scanned):
    computer, scan = scanned
    ids = sorted(scan.updates)[:50]
    result = computer.extended(ids, BOTH)
    extended = [number for number, xml in parts(result) if xml.startswith("<ExtendedProperties")]
    localized = [number for number, xml in parts(result) if xml.startswith("<LocalizedProperties")]
    assert extended == ids
    assert sorted(localized) == ids
    assert len(parts(result)) == 2 * len(ids)


@pytest.mark.observed("4")
def test_extended_fragments_come_first_in_ascending_order(scanned):
    computer, scan = scanned
    ids = sorted(scan.updates)[:20]
    kinds = [
        xml[: xml.index(" ") if xml.startswith("<Ext") else xml.index(">")]
        for _, xml in parts(computer.extended(ids[::-1], BOTH))
    ]
    assert kinds == ["<ExtendedProperties"] * len(ids) + ["<LocalizedProperties"] * len(ids)
    result = computer.extended(ids[::-1], ["Extended"])
    assert [number for number, _ in parts(result)] == ids


@pytest.mark.spec("3.1.5.9")
def test_only_the_kinds_asked_for_are_sent(scanned):
    computer, scan = scanned
    ids = sorted(scan.updates)[:5]
    for kind in BOTH:
        start = "<ExtendedProperties" if kind == "Extended" else "<LocalizedProperties"
        assert all(xml.startswith(start) for _, xml in parts(computer.extended(ids, [kind])))
    core = parts(computer.extended(ids, ["Core"]))
    assert [(number, xml) for number, xml in core] == [(number, scan.updates[number].xml) for number in ids]


@pytest.mark.spec("3.1.1.1")
def test_localized_fragments_hold_language_then_title(scanned):
    computer, scan = scanned
    for _, xml in parts(computer.extended(sorted(scan.updates)[:20], ["LocalizedProperties"])):
        node = fragment(xml)[0]
        assert [part.tag for part in node][:2] == ["Language", "Title"]


@pytest.mark.spec("2.2.2.2.6")
def test_the_same_revision_asked_twice_is_no_fault(scanned):
    computer, scan = scanned
    one = min(scan.updates)
    assert {number for number, _ in parts(computer.extended([one, one], ["Extended"]))} == {one}


@pytest.mark.setup
class TestLanguages:
    @pytest.fixture()
    def plain(self, scanned, bench):
        computer, scan = scanned
        return lambda locales: [
            fragment(xml)[0].findtext("Language")
            for _, xml in parts(
                computer.extended([scan.by_id(bench["plain"].id).id], ["LocalizedProperties"], locales=locales)
            )
        ]

    @pytest.mark.observed("4")
    def test_a_regional_locale_finds_the_language(self, plain):
        assert plain(["en-US", "en"]) == ["en"]

    @pytest.mark.spec("3.1.5.9")
    def test_english_is_always_included(self, plain):
        found = plain(["de-DE", "de"])
        assert "de" in found and "en" in found

    @pytest.mark.spec("3.1.5.9")
    def test_a_language_the_update_does_not_speak_falls_back_to_english(self, plain):
        assert plain(["fi-FI", "fi"]) == ["en"]

    @pytest.mark.spec("3.1.5.9")
    def test_letter_case_does_not_matter(self, plain):
        assert "pt-br" in [language.lower() for language in plain(["PT-BR"])]


@pytest.mark.setup
class TestFiles:
    @pytest.mark.observed("4")
    def test_locations_ride_along_with_the_extended_kind(self, scanned, bench):
        computer, scan = scanned
        ids = sorted(scan.by_id(bench[name].id).id for name in ("plain", "licensed", "first part"))
        result = computer.extended(ids, BOTH)
        found = {child_text(node, "FileDigest"): child_text(node, "Url") for node in items(result, "FileLocations")}
        files = [file for name in ("plain", "licensed", "first part") for file in bench[name].files]
        # A licence is a file too; whether its location is given is the server's choice.
        assert set(found) - {bench["licensed"].eula.digest} == {file.digest for file in files}
        for file in files:
            assert found[file.digest].endswith(file.path)
        assert children(result) == ["Updates", "FileLocations"], "nothing else stands beside them"
        for node in items(result, "FileLocations"):
            assert children(node) == ["FileDigest", "Url"]

    @pytest.mark.observed("4")
    def test_updates_without_files_have_no_locations(self, scanned, bench):
        computer, scan = scanned
        result = computer.extended([scan.by_id(bench["bundle"].id).id], BOTH)
        assert children(result) == ["Updates"]

    @pytest.mark.spec("3.1.1.1")
    def test_the_extended_fragment_lists_the_files(self, scanned, bench):
        computer, scan = scanned
        plain = bench["plain"]
        ((_, xml),) = parts(computer.extended([scan.by_id(plain.id).id], ["Extended"]))
        root = fragment(xml)
        assert [node.tag for node in root] == ["ExtendedProperties", "Files", "HandlerSpecificData"]
        listed = [(node.get("FileName"), node.get("Digest"), int(node.get("Size"))) for node in root.find("Files")]
        assert listed == [(file.name, file.digest, len(file.data)) for file in plain.files]

    @pytest.mark.spec("3.1.1.1")
    def test_a_licence_has_a_fragment_of_its_own(self, scanned, bench):
        computer, scan = scanned
        licensed = bench["licensed"]
        found = parts(computer.extended([scan.by_id(licensed.id).id], ["Eula"], locales=["en-US", "en"]))
        assert len(found) == 1
        node = fragment(found[0][1])[0]
        assert node.tag == "EulaFile"
        assert node.get("Digest") == licensed.eula.digest and node.get("Language") == "en"
