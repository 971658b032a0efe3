"""Python's values as docs/decisions/0009-pickle-values.md writes them, and back: read from that table, not from our code."""

import base64
import datetime
import decimal
import random
import re
import uuid
import zoneinfo
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
    return datetime.datetime.fromisoformat(match[1]).replace(tzinfo=zoneinfo.ZoneInfo(match[2]))


def read_timedelta(text):
    sign, days, hours, minutes, seconds, fraction = re.fullmatch(
        r"(-?)P(\d+)DT(\d+)H(\d+)M(\d+)(?:\.(\d{6}))?S", text
    ).groups()
    length = datetime.timedelta(
        days=int(days), hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=int(fraction or 0)
    )
    return -length if sign else length


def noise(seed, length):
    """Text that does not compress."""
    return random.Random(seed).randbytes(length // 2).hex()


SOURCE_NAMES = {
    "Decimal": decimal.Decimal,
    "OrderedDict": OrderedDict,
    "UUID": uuid.UUID,
    "ZoneInfo": zoneinfo.ZoneInfo,
    "datetime": datetime,
    "noise": noise,
}

READERS = {
    # No shape of the table: Python's own text for a value, from tests that are about Python's values.
    "$python": lambda source: eval(source, SOURCE_NAMES),
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


RESERVED = {"$dict", *READERS} - {"$python"}


def to_shape(value, tuples="read", is_key=False):
    """The table read the other way. Tuples are "read" as lists, unless one is to be "written"."""
    for kind, shape in SHAPES:
        if isinstance(value, kind):
            return shape(value)
    if isinstance(value, dict):
        return dict_shape(value, tuples)
    if isinstance(value, (set, frozenset)):
        return {f"${type(value).__name__}": [to_shape(item, tuples, is_key=True) for item in value]}
    if isinstance(value, (list, tuple)):
        items = [to_shape(item, tuples, is_key) for item in value]
        return {"$tuple": items} if isinstance(value, tuple) and tuples == "written" and not is_key else items
    return value


def dict_shape(value, tuples):
    result = {}
    for key, item in value.items():
        if isinstance(key, str) and key not in RESERVED:
            result[key] = to_shape(item, tuples)
        else:
            result.setdefault("$dict", []).append([to_shape(key, tuples, is_key=True), to_shape(item, tuples)])
    return result


def time_shape(value):
    zone = value.tzinfo
    fold = "[fold=1]" if value.fold else ""
    if isinstance(zone, zoneinfo.ZoneInfo):
        return f"{value.replace(tzinfo=None).isoformat()}[{zone.key}]{fold}"
    name = f"[tzname={zone.__getinitargs__()[1]}]" if zone and len(zone.__getinitargs__()) > 1 else ""
    return f"{value.isoformat()}{name}{fold}"


def timedelta_shape(value):
    from django.utils.duration import duration_iso_string

    return {"$timedelta": duration_iso_string(value)}


# A datetime is a date as well.
SHAPES = [
    (bytes, lambda value: {"$bytes": base64.b64encode(value).decode()}),
    (bytearray, lambda value: {"$bytearray": base64.b64encode(value).decode()}),
    (complex, lambda value: {"$complex": [value.real, value.imag]}),
    (datetime.datetime, lambda value: {"$datetime": time_shape(value)}),
    (datetime.date, lambda value: {"$date": value.isoformat()}),
    (datetime.time, lambda value: {"$time": time_shape(value)}),
    (datetime.timedelta, timedelta_shape),
    (decimal.Decimal, lambda value: {"$decimal": str(value)}),
    (uuid.UUID, lambda value: {"$uuid": str(value)}),
]


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
