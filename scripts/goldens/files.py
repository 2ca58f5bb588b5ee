"""Writers of the file forms that tests/golden/README.md describes."""

import json
import re
import struct


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(values):
    """Count, then the values."""
    return varint(len(values)) + b"".join(varint(v) for v in values)


def blob(data):
    """Length, then the bytes."""
    return varint(len(data)) + data


def dump_json(path, value, indent=1):
    """JSON with arrays of scalars on one line each."""
    text = json.dumps(value, indent=indent, ensure_ascii=True, allow_nan=False)
    text = re.sub(r"\[\s+((?:[^\[\]{}\"]|\"(?:[^\"\\]|\\.)*\")*?)\s+\]", _one_line, text)
    path.write_text(text + "\n")


def _one_line(match):
    return "[" + re.sub(r",\s*\n\s*", ", ", match.group(1)) + "]"


def safetensors_bytes(tensors, metadata=None, json_order=None, header_mod=0):
    """A safetensors file. tensors: [(name, dtype, shape, bytes)] in order of offset; json_order: names in the header's order;
    header_mod: the header is padded with blanks to a length of that remainder by 8."""
    entries, offset = {}, 0
    for name, dtype, shape, data in tensors:
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    header = {"__metadata__": metadata} if metadata else {}
    header.update({name: entries[name] for name in (json_order or entries)})
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * ((header_mod - len(text)) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, _, data in tensors)
