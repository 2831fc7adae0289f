"""MS-WSUSSS 3.1.4.4: GetConfigData."""

import pytest

from conformance.judging import fault_of
from conformance.wire.answers import child_text, children, items
from conformance.wire.downstream import CONFIG_ORDER
from conformance.wire.soap import SERVER_SYNC, text


@pytest.mark.wsusss("3.1.4.4")
def test_the_parts_come_in_the_order_of_their_type(child):
    assert children(child.config()) == CONFIG_ORDER


@pytest.mark.observed("8")
def test_the_limits_are_those_of_real_servers(child):
    config = child.config()
    assert child_text(config, "MaxNumberOfUpdatesPerRequest") == "100"
    assert child_text(config, "MaxUpdatesPerRequestInGetUpdateDecryptionData") == "100"
    major, _, minor = child_text(config, "ProtocolVersion").partition(".")
    assert int(major) == 1 and int(minor) >= 20


@pytest.mark.observed("8")
def test_languages_are_told_without_an_anchor_and_not_with_the_newest(child):
    config = child.config()
    languages = items(config, "LanguageUpdateList")
    assert len(languages) == 39
    assert (child_text(languages[0], "LanguageID"), child_text(languages[0], "ShortLanguage")) == ("0", "all")
    again = child.config(child_text(config, "NewConfigAnchor"))
    assert items(again, "LanguageUpdateList") == []


@pytest.mark.wsusss("3.1.4.4")
def test_an_anchor_of_another_form_is_refused(child):
    content = child.with_cookie(text("configAnchor", "garbage"))
    fault = fault_of(child.send(SERVER_SYNC, "GetConfigData", content))
    assert fault.error_code == "InvalidParameters" and "configAnchor" in fault["Message"]
