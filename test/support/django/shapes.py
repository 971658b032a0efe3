"""Python's values as docs/decisions/0009-pickle-values.md writes them, and back: read from that table, not from our code."""

import base64
import datetime
import decimal
import re
import uuid
from collections import OrderedDict


def to_python(shape):
    if isinstance(shape, list):
        return [to_python(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    if len(shape) == 1:
        (tag, value), = shape.items()
        if tag in READERS:
            return READERS[tag](value)
    result = {key: to_python(value) for key, value in shape.items() if key != "$dict"}
    for key, value in shape.get("$dict", []):
        result[as_key(to_python(key))] = to_python(value)
    return result


def as_key(value):
    return tuple(as_key(item) for item in value) if isinstance(value, (list, tuple)) else value


def items(value):
    return [as_key(to_python(item)) for item in value]


def read_datetime(text):
    match = re.fullmatch(r"(.*)\[(?!tzname=)(.+)\]", text)
    if not match:
        return datetime.datetime.fromisoformat(text)
    import zoneinfo

    return datetime.datetime.fromisoformat(match[1]).replace(tzinfo=zoneinfo.ZoneInfo(match[2]))


def read_timedelta(text):
    sign, days, hours, minutes, seconds, fraction = re.fullmatch(
        r"(-?)P(\d+)DT(\d+)H(\d+)M(\d+)(?:\.(\d{6}))?S", text
    ).groups()
    length = datetime.timedelta(
        days=int(days), hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=int(fraction or 0)
    )
    return -length if sign else length


READERS = {
    "$tuple": lambda value: tuple(to_python(item) for item in value),
    "$set": lambda value: set(items(value)),
    "$frozenset": lambda value: frozenset(items(value)),
    "$bytes": base64.b64decode,
    "$bytearray": lambda value: bytearray(base64.b64decode(value)),
    "$complex": lambda value: complex(*value),
    "$datetime": read_datetime,
    "$date": datetime.date.fromisoformat,
    "$time": datetime.time.fromisoformat,
    "$timedelta": read_timedelta,
    "$decimal": decimal.Decimal,
    "$uuid": uuid.UUID,
}


def describe(value):
    """One text for one value: types, order of keys and every digit. What compares equal here is the same value."""
    if isinstance(value, dict):
        inside = ", ".join(f"{describe(key)}: {describe(item)}" for key, item in value.items())
        return f"{'OrderedDict' if isinstance(value, OrderedDict) else ''}{{{inside}}}"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}({', '.join(sorted(map(describe, value)))})"
    if isinstance(value, list):
        return f"[{', '.join(map(describe, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(describe, value))},)"
    return repr(value)
