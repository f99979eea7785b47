"""Golden datagrams in hex: another implementation of XCAP/1 can be checked against them.

Each is (direction, datagram, hex). The keys follow from the pairing's key 00..1f, nonce_d 00..0f
and nonce_p 10..1f; direction names the key: boot, d2p (display to phone) or p2d.
"""

from __future__ import annotations

from rig.protocol.codes import Code, Flag, MessageType
from rig.protocol.datagram import Datagram, canonical
from rig.protocol.metadata import Part, encode_part

PSK = bytes(range(32))
NONCE_D, NONCE_P = bytes(range(16)), bytes(range(16, 32))
CONN = bytes.fromhex("4a9fb1bcd4598891")
M = MessageType

GOLDEN = [
    (
        "boot",
        Datagram(
            M.KNOCK, pn=1, payload=canonical({"boot_id": "0011223344556677", "aborted": False})
        ),
        (
            "58430101000000000000000000000001000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000002e7b2261626f72746564223a66616c73652c22626f6f74"
            "5f6964223a2230303131323233333434353536363737227da88dc7104f235343eeea72e21fc44c7f"
        ),
    ),
    (
        "boot",
        Datagram(
            M.HELLO, pn=1, subset=3, index=7,
            payload=canonical({
                "nonce_d": NONCE_D.hex(), "campaign_id": "0001020304050607", "manifest": "ab" * 32,
                "vmin": 1, "vmax": 1,
            }),
        ),
        (
            "58430102000000000000000000000001000000000000000300000007000000000000000000000000"
            "0000000000000000000000000000000000af7b2263616d706169676e5f6964223a22303030313032"
            "30333034303530363037222c226d616e6966657374223a2261626162616261626162616261626162"
            "61626162616261626162616261626162616261626162616261626162616261626162616261626162"
            "6162616261626162222c226e6f6e63655f64223a2230303031303230333034303530363037303830"
            "39306130623063306430653066222c22766d6178223a312c22766d696e223a317dc8c55deb23420f"
            "a3258103c5c6c95799"
        ),
    ),
    (
        "boot",
        Datagram(
            M.READY, CONN, pn=2, ack_pn=1, subset=3,
            payload=canonical({
                "nonce_d": NONCE_D.hex(), "nonce_p": NONCE_P.hex(), "boot_id": "0011223344556677",
                "committed": 0, "last_attempt": 0, "aborted_id": None,
            }),
        ),
        (
            "584301034a9fb1bcd459889100000002000000010000000300000000000000000000000000000000"
            "0000000000000000000000000000000000a97b2261626f727465645f6964223a6e756c6c2c22626f"
            "6f745f6964223a2230303131323233333434353536363737222c22636f6d6d6974746564223a302c"
            "226c6173745f617474656d7074223a302c226e6f6e63655f64223a22303030313032303330343035"
            "3036303730383039306130623063306430653066222c226e6f6e63655f70223a2231303131313231"
            "33313431353136313731383139316131623163316431653166227d51f2b93de7eaa2d3dbdd41fada"
            "cf3b79"
        ),
    ),
    (
        "d2p",
        Datagram(
            M.ARM, CONN, pn=1, subset=3, index=7, chain=b"chain..7",
            payload=canonical({
                "campaign_id": "0001020304050607", "first": 7, "last": 9, "manifest": "ab" * 32,
                "env_id": "e01-dark", "session": "s0", "view_committed": 0, "view_sha": None,
                "resolution": "none",
            }),
        ),
        (
            "584301044a9fb1bcd459889100000001000000000000000300000007000000000000000000000000"
            "636861696e2e2e37000000000000000000dd7b2263616d706169676e5f6964223a22303030313032"
            "30333034303530363037222c22656e765f6964223a226530312d6461726b222c226669727374223a"
            "372c226c617374223a392c226d616e6966657374223a226162616261626162616261626162616261"
            "62616261626162616261626162616261626162616261626162616261626162616261626162616261"
            "62616261626162222c227265736f6c7574696f6e223a226e6f6e65222c2273657373696f6e223a22"
            "7330222c22766965775f636f6d6d6974746564223a302c22766965775f736861223a6e756c6c7da5"
            "8b2bc1e58d5eaf557180cf3db0a53f"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.ARMED, CONN, pn=1, ack_pn=1, subset=3, index=7, chain=b"chain..7",
            payload=canonical({"committed": 0}),
        ),
        (
            "584301054a9fb1bcd459889100000001000000010000000300000007000000000000000000000000"
            "636861696e2e2e370000000000000000000f7b22636f6d6d6974746564223a307d712b540dc8e712"
            "723456a917dff9429e"
        ),
    ),
    (
        "d2p",
        Datagram(
            M.CAPTURE, CONN, pn=2, subset=3, index=7, attempt=1, token=b"token..7",
            chain=b"chain..7", digest=b"meta...7",
            payload=canonical({"key": "p1/study1/view1", "env": "e01-dark", "index": 7}),
        ),
        (
            "584301064a9fb1bcd45988910000000200000000000000030000000700010000746f6b656e2e2e37"
            "636861696e2e2e376d6574612e2e2e3700347b22656e76223a226530312d6461726b222c22696e64"
            "6578223a372c226b6579223a2270312f7374756479312f7669657731227d88e72981b9efaa6e3f90"
            "10b2a5db3e74"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.ACCEPTED, CONN, pn=2, ack_pn=2, subset=3, index=7, attempt=1, code=Code.EXPOSING,
            token=b"token..7",
        ),
        (
            "584301074a9fb1bcd45988910000000200000002000000030000000700010001746f6b656e2e2e37"
            "0000000000000000000000000000000000007d80b8a67e64249fbb0bf22410b859fd"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.CAPTURED, CONN, pn=3, subset=3, index=7, attempt=1, flags=Flag.CON,
            token=b"token..7", digest=b"\xcd" * 8,
            payload=canonical({
                "sha256": "cd" * 32, "size": 1234567, "name": "x.jpg", "w": 4032, "h": 3024,
                "t_trigger": "1700000000000000000", "t_done": "1700000000250000000",
            }),
        ),
        (
            "584301084a9fb1bcd45988910000000300000000000000030000000700010100746f6b656e2e2e37"
            "0000000000000000cdcdcdcdcdcdcdcd00be7b2268223a333032342c226e616d65223a22782e6a70"
            "67222c22736861323536223a22636463646364636463646364636463646364636463646364636463"
            "64636463646364636463646364636463646364636463646364636463646364636463646364222c22"
            "73697a65223a313233343536372c22745f646f6e65223a2231373030303030303030323530303030"
            "303030222c22745f74726967676572223a2231373030303030303030303030303030303030222c22"
            "77223a343033327dec9442db492cff382ab76ac15f14319f"
        ),
    ),
    (
        "d2p",
        Datagram(M.ACK, CONN, pn=3, ack_pn=3),
        (
            "584301104a9fb1bcd459889100000003000000030000000000000000000000000000000000000000"
            "000000000000000000000000000000000000c8bdcdfb85ff45d18b2b650b00fc10cd"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.FAILED, CONN, pn=4, ack_pn=4, subset=3, index=8, attempt=2, flags=Flag.CON,
            code=Code.CAMERA_TIMEOUT, token=b"token..8",
        ),
        (
            "584301094a9fb1bcd45988910000000400000004000000030000000800020111746f6b656e2e2e38"
            "000000000000000000000000000000000000ed48568880817f0c9696067d77b968f5"
        ),
    ),
    (
        "d2p",
        Datagram(
            M.ABORT, CONN, pn=4, flags=Flag.CON, code=Code.OPERATOR, digest=b"abort-id",
            payload=canonical({"expected": None, "got": None, "why": "the tripod fell"}),
        ),
        (
            "5843010c4a9fb1bcd459889100000004000000000000000000000000000001480000000000000000"
            "000000000000000061626f72742d696400347b226578706563746564223a6e756c6c2c22676f7422"
            "3a6e756c6c2c22776879223a2274686520747269706f642066656c6c227d81600f939338a2f4442a"
            "0e841e70232a"
        ),
    ),
    (
        "d2p",
        Datagram(
            M.META_PART, CONN, pn=5, subset=3, index=8, digest=b"\xee" * 8,
            payload=encode_part(Part(b"\xee" * 32, 1024, 1040, b'"end":"of it"}..')),
        ),
        (
            "584301114a9fb1bcd459889100000005000000000000000300000008000000000000000000000000"
            "0000000000000000eeeeeeeeeeeeeeee0038eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
            "eeeeeeeeeeeeeeeeeeee000004000000041022656e64223a226f66206974227d2e2e2c798a1f9de0"
            "907c2e6da8212bea9571"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.META_ACK, CONN, pn=5, ack_pn=5, digest=b"\xee" * 8,
            payload=encode_part(Part(b"\xee" * 32, 1040, 1040)),
        ),
        (
            "584301124a9fb1bcd459889100000005000000050000000000000000000000000000000000000000"
            "0000000000000000eeeeeeeeeeeeeeee0028eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
            "eeeeeeeeeeeeeeeeeeee0000041000000410e514c837c194e9a2c13ffb3a436815e2"
        ),
    ),
    (
        "d2p",
        Datagram(
            M.CAPTURE, CONN, pn=6, subset=3, index=9, attempt=1, flags=Flag.META_EXT | Flag.LAST,
            token=b"token..9", chain=b"chain..9", digest=b"\xee" * 8,
        ),
        (
            "584301064a9fb1bcd45988910000000600000000000000030000000900010a00746f6b656e2e2e39"
            "636861696e2e2e39eeeeeeeeeeeeeeee000004b5fc3b4b558e131524298b3ef3aaae"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.ACCEPTED, CONN, pn=6, ack_pn=6, subset=3, index=9, attempt=1, code=Code.NEED_META,
            token=b"token..9",
        ),
        (
            "584301074a9fb1bcd45988910000000600000006000000030000000900010004746f6b656e2e2e39"
            "000000000000000000000000000000000000f5e254d5f4b22a25f9b876817d73981e"
        ),
    ),
    (
        "d2p",
        Datagram(M.BYE, CONN, pn=7),
        (
            "584301134a9fb1bcd459889100000007000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000071640dce377e9655f57f4bc21d010204"
        ),
    ),
    (
        "p2d",
        Datagram(M.BYE, CONN, pn=7),
        (
            "584301134a9fb1bcd459889100000007000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000085992322b921bc33a5ba60f40a38da5f"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.FAILED, CONN, pn=8, ack_pn=8, subset=3, index=8, attempt=3, flags=Flag.CON,
            code=Code.CAMERA_EMPTY, token=b"token..8",
            payload=canonical({"why": "the camera left 0 bytes; is its app in front?"}),
        ),
        (
            "584301094a9fb1bcd45988910000000800000008000000030000000800030112746f6b656e2e2e38"
            "0000000000000000000000000000000000377b22776879223a227468652063616d657261206c6566"
            "7420302062797465733b206973206974732061707020696e2066726f6e743f227d058f897d214772"
            "53f53f1793c6d30a09"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.FAILED, CONN, pn=9, ack_pn=9, subset=3, index=8, attempt=3, flags=Flag.CON,
            code=Code.DISK_LOW, token=b"token..8",
            payload=canonical({
                "why": "200 MiB are free on the phone, 256 MiB are needed; "
                "free some room, then resume",
            }),
        ),
        (
            "584301094a9fb1bcd45988910000000900000009000000030000000800030120746f6b656e2e2e38"
            "0000000000000000000000000000000000587b22776879223a22323030204d694220617265206672"
            "6565206f6e207468652070686f6e652c20323536204d694220617265206e65656465643b20667265"
            "6520736f6d6520726f6f6d2c207468656e20726573756d65227d3aca5a8bee16eaf91733fd0ca779"
            "66f1"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.FAILED, CONN, pn=10, ack_pn=10, subset=3, index=8, attempt=3, flags=Flag.CON,
            code=Code.CAMERA_BACKGROUND, token=b"token..8",
        ),
        (
            "584301094a9fb1bcd45988910000000a0000000a000000030000000800030115746f6b656e2e2e38"
            "000000000000000000000000000000000000f52b8e150a4bced69e5291db78b5220b"
        ),
    ),
    (
        "d2p",
        Datagram(M.FINISH, CONN, pn=8, subset=3, index=9, chain=b"chain..X"),
        (
            "5843010a4a9fb1bcd459889100000008000000000000000300000009000000000000000000000000"
            "636861696e2e2e58000000000000000000005339b8d44d14ab408bb95ff636b81213"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.FINISHED, CONN, pn=11, ack_pn=8, subset=3, index=9,
            payload=canonical({"count": 3, "chain": "ce" * 32}),
        ),
        (
            "5843010b4a9fb1bcd45988910000000b000000080000000300000009000000000000000000000000"
            "0000000000000000000000000000000000567b22636861696e223a22636563656365636563656365"
            "63656365636563656365636563656365636563656365636563656365636563656365636563656365"
            "636563656365636563656365222c22636f756e74223a337d73e10b21b3def3fa80346c84fb6e1a2a"
        ),
    ),
    (
        "p2d",
        Datagram(
            M.ABORT, CONN, pn=12, flags=Flag.CON, code=Code.INDEX_MISMATCH, digest=b"abort-id",
            payload=canonical({
                "expected": 8, "got": 9, "why": "the display asked for index 9; the next one is 8",
            }),
        ),
        (
            "5843010c4a9fb1bcd45988910000000c000000000000000000000000000001400000000000000000"
            "000000000000000061626f72742d6964004f7b226578706563746564223a382c22676f74223a392c"
            "22776879223a2274686520646973706c61792061736b656420666f7220696e64657820393b207468"
            "65206e657874206f6e652069732038227d26d76e7ccce5058b994c9cc95b90c192"
        ),
    ),
    (
        "d2p",
        Datagram(M.ABORT_ACK, CONN, pn=9, ack_pn=12, digest=b"abort-id"),
        (
            "5843010d4a9fb1bcd4598891000000090000000c0000000000000000000000000000000000000000"
            "000000000000000061626f72742d69640000563a035f18bb7602ec05fae5e1317f3f"
        ),
    ),
    (
        "p2d",
        Datagram(M.ABORT_ACK, CONN, pn=13, ack_pn=4, digest=b"abort-id"),
        (
            "5843010d4a9fb1bcd45988910000000d000000040000000000000000000000000000000000000000"
            "000000000000000061626f72742d6964000092b84fd46017c4e232c26bb1aaab3d8d"
        ),
    ),
    (
        "d2p",
        Datagram(M.PING, CONN, pn=10),
        (
            "5843010e4a9fb1bcd45988910000000a000000000000000000000000000000000000000000000000"
            "0000000000000000000000000000000000009ab40316a02cb9a9f6d91f6e818f32ec"
        ),
    ),
    (
        "p2d",
        Datagram(M.PONG, CONN, pn=14, ack_pn=10),
        (
            "5843010f4a9fb1bcd45988910000000e0000000a0000000000000000000000000000000000000000"
            "000000000000000000000000000000000000a2f420231be2114cde5350e40c862ad4"
        ),
    ),
    (
        "d2p",
        Datagram(
            M.ARM, CONN, pn=11, subset=3, index=8, chain=b"chain..8", flags=Flag.REARM,
            digest=b"abort-id",
            payload=canonical({
                "campaign_id": "0001020304050607", "first": 7, "last": 9, "manifest": "ab" * 32,
                "env_id": "e01-dark", "session": "s0", "view_committed": 0, "view_sha": "cd" * 32,
                "resolution": "commit",
            }),
        ),
        (
            "584301044a9fb1bcd45988910000000b000000000000000300000008000004000000000000000000"
            "636861696e2e2e3861626f72742d6964011d7b2263616d706169676e5f6964223a22303030313032"
            "30333034303530363037222c22656e765f6964223a226530312d6461726b222c226669727374223a"
            "372c226c617374223a392c226d616e6966657374223a226162616261626162616261626162616261"
            "62616261626162616261626162616261626162616261626162616261626162616261626162616261"
            "62616261626162222c227265736f6c7574696f6e223a22636f6d6d6974222c2273657373696f6e22"
            "3a227330222c22766965775f636f6d6d6974746564223a302c22766965775f736861223a22636463"
            "64636463646364636463646364636463646364636463646364636463646364636463646364636463"
            "646364636463646364636463646364636463646364227d97aaf34f540b1fb2e10672c6205e962d"
        ),
    ),
]  # fmt: skip
