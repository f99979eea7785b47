"""Numbers on the wire and their words."""

from __future__ import annotations

import pytest

from rig.protocol.codes import BOOT_KEYED, Code, Flag, MessageType, Timers, code_name, is_pause


def test_message_numbers_are_those_of_the_specification():
    """The table of section 2, in its order, from 01 to 13 hex."""
    words = (
        "KNOCK HELLO READY ARM ARMED CAPTURE ACCEPTED CAPTURED FAILED FINISH FINISHED ABORT "
        "ABORT_ACK PING PONG ACK META_PART META_ACK BYE"
    )
    assert [t.name for t in MessageType] == words.split()
    assert [int(t) for t in MessageType] == list(range(0x01, 0x14))


def test_only_the_handshake_uses_the_boot_key():
    """KNOCK, HELLO and READY are under the boot key, everything else under a connection's."""
    assert {MessageType.KNOCK, MessageType.HELLO, MessageType.READY} == BOOT_KEYED


def test_flags_are_those_of_the_specification():
    """1 CON, 2 META_EXT, 4 REARM, 8 LAST."""
    assert (Flag.CON, Flag.META_EXT, Flag.REARM, Flag.LAST) == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("first", "names"),
    [
        (0, "OK EXPOSING WRITING WAIT_CAMERA NEED_META STALE"),
        (
            16,
            (
                "CAMERA_ERROR CAMERA_TIMEOUT CAMERA_EMPTY CAMERA_BAD_JPEG CAMERA_PERMISSION "
                "CAMERA_BACKGROUND"
            ),
        ),
        (32, "DISK_LOW BATTERY_LOW THERMAL FS_ERROR META_TOO_BIG"),
        (
            64,
            (
                "INDEX_MISMATCH CHAIN_MISMATCH META_CONFLICT DIVERGED CAMPAIGN_MISMATCH "
                "MANIFEST_MISMATCH STORE_LOST JOURNAL_CORRUPT OPERATOR TOKEN_MISMATCH PROTOCOL "
                "DISPLAY_LOST VERSION"
            ),
        ),
    ],
)
def test_codes_are_those_of_the_specification(first: int, names: str):
    """The list of section 8: each block counts up from its first number."""
    assert [Code(first + n).name for n in range(len(names.split()))] == names.split()


def test_a_known_code_reads_as_its_word():
    assert code_name(64) == "INDEX_MISMATCH"


def test_an_unknown_code_of_64_and_above_reads_as_an_abort():
    """Unknown >= 64: treat as abort."""
    assert code_name(200) == "ABORT_200"
    assert code_name(15) == "CODE_15"


def test_codes_of_32_to_63_ask_for_a_pause():
    """The blocks below are retried, those above abort."""
    assert [c for c in range(256) if is_pause(c)] == list(range(32, 64))


def test_timers_default_to_the_table_of_section_7():
    t = Timers()
    assert (t.rto_init, t.rto_min, t.rto_max) == (0.25, 0.03, 2.0)
    assert (t.accept, t.link, t.ping, t.dead_peer) == (10, 120, 1, 5)
    assert (t.camera, t.knock, t.settle) == (8, 3, 0.15)
    assert (t.max_attempts, t.max_failures) == (3, 5)
