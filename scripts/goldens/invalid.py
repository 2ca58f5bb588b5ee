"""Invalid UTF-8: what a program that must go on makes of it."""

import random

from . import files

FIXED = [
    b"\x80", b"\xbf\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3(", b"a\xc3", b"\xe2\x82", b"\xe2\x82x", b"\xe2", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xf0\x9f\x98", b"\xf0\x9f\x98x", b"\xf0\x9f", b"\xf0", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xfe", b"\xff", b"\xff\xfe", b"ok\xffok", b"\xf0\x9f\x98\x80\x80",
    b"\xe4\xb8\xad\xe4\xb8", b"\xe4\xb8\xe4\xb8\xad", b"\xc3\xc3\xa9", b"\xf1\x80\x80\xe1\x80\xc2", b"A\xf1\x80\x80\xe1\x80\xc2b\x80c\x80\xbfd", b"\xef\xbb\xbf\xff", b"\x00\xff\x00",
    b"caf\xe9", b"\xa3100", b"\xef\xbf", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x8f\xbf", b"\xed\x9f\xbf\xed\xa0", b" \xc2 ", b"\xc2\xa0\xc2",
]  # fmt: skip
SECOND = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}  # bounds of the second byte


def maximal_subparts(data):
    """Each maximal invalid subpart (Unicode 3.9, table 3-8) replaced by U+FFFD; written from the standard."""
    out, i = bytearray(), 0
    while i < len(data):
        first = data[i]
        need = (
            0
            if first < 0x80
            else 1
            if 0xC2 <= first <= 0xDF
            else 2
            if 0xE0 <= first <= 0xEF
            else 3
            if 0xF0 <= first <= 0xF4
            else -1
        )
        taken = 1
        low, high = SECOND.get(first, (0x80, 0xBF))
        while taken <= need and i + taken < len(data) and low <= data[i + taken] <= high:
            taken, (low, high) = taken + 1, (0x80, 0xBF)
        out += data[i : i + taken] if taken == need + 1 else b"\xef\xbf\xbd"
        i += taken
    return bytes(out)


def make(path, stamp):
    r = random.Random(11)
    cases = [
        *FIXED,
        *(
            bytes(
                r.choices(
                    [0x41, 0x80, 0xBF, 0xC3, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0xED, 0xFF], k=r.randint(2, 12)
                )
            )
            for _ in range(30)
        ),
    ]
    out = []
    for data in cases:
        text = data.decode("utf-8", "replace").encode()
        assert text == maximal_subparts(data), data
        out.append({"bytes": data.hex(), "text": text.hex()})
    files.dump_json(path, {**stamp, "cases": out})
