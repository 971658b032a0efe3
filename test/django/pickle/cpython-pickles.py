"""Writes cpython-pickles.json: what CPython's pickle makes of {"v": expression}, in protocols 0 to 5.

python3 cpython-pickles.py > cpython-pickles.json; every version from 3.9 to 3.13 wrote the same of plain values.
"""

import base64
import hashlib
import json
import pickle
from collections import OrderedDict, defaultdict  # noqa: F401
from datetime import date, datetime, time, timedelta, timezone  # noqa: F401
from decimal import Decimal  # noqa: F401
from pathlib import PurePosixPath  # noqa: F401
from uuid import UUID, SafeUUID  # noqa: F401
from zoneinfo import ZoneInfo  # noqa: F401

EXPRESSIONS = """
(1.0, 2, -0.0, 1.5, 1e+16, float("inf"), float("-inf"))
(2**53 - 1, -2**53 + 1, 2**53, -2**53, 2**63, -2**63, 2**64 - 1, 2**2040, -(2**2040))
(0, 255, 256, 65535, 65536, -1, -128, -129, 2**31 - 1, 2**31, -2**31, -2**31 - 1)
((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [()], ([1], {"a": (5,)}))
{"b": 1, "10": 2.0, "9": [3.0]}
{1: "int", 2.5: "float", None: "none", ("a", (1, b"x")): "tuple"}
{"a": 1, 1: "x", "b": 2.0, 2.0: 3.0}
{"$set": [1], "$dict": 1}
{"$where": 1}
{1, 2}
{(1, 2.0)}
frozenset({frozenset({1})})
set()
frozenset()
OrderedDict([("b", 1), ("a", (1,))])
OrderedDict()
[b"", b"a\\xff", bytes(300)]
[bytearray(b""), bytearray(b"a\\xff"), bytearray(300)]
datetime(2026, 11, 20, 12, 0)
datetime(1, 1, 1)
datetime(9999, 12, 31, 23, 59, 59, 999999)
datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=timezone.utc)
[datetime(2026, 11, 20, tzinfo=timezone.utc), datetime(2026, 11, 21, tzinfo=timezone.utc)]
datetime(2026, 11, 20, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=1172, microseconds=500000)))
datetime(2026, 11, 20, tzinfo=timezone(timedelta(hours=1), "CET"))
datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
datetime(2026, 10, 25, 2, 30, fold=1)
date(2024, 2, 29)
time(23, 59, 59, 999999)
time(1, 2, 3, tzinfo=timezone.utc, fold=1)
timedelta(0)
timedelta(1, 7384, 5)
timedelta(microseconds=-1)
timedelta.max
timedelta.min
[Decimal("1.50"), Decimal("-0"), Decimal("1E+30"), Decimal("0E-8"), Decimal("NaN"), Decimal("-Infinity")]
UUID("12345678-1234-5678-9234-567812345678")
UUID(int=0)
UUID(int=5, is_safe=SafeUUID.safe)
complex(1, -0.0)
["\\ud800", "\\udfff\\ud800", "a\\ud83d", "\\U0001f600", "\\u00e9", "\\0\\n\\r\\\\\\\\u0041", "\\\\", "\\x1a"]
["x" * 255, "x" * 256]
[list(range(n)) for n in (999, 1000, 1001, 2000)]
[{f"{n} {i}": None for i in range(n)} for n in (999, 1000, 1001, 2000)]
[set(range(n)) for n in (999, 1000, 1001)]
[{"n": n} for n in range(300)]
["y" * 70000, b"z" * 70000, [str(n) for n in range(20000)]]
""".strip().splitlines()

# Instances that no reader of plain data may make.
REFUSED = """
print
object()
Exception("x")
range(3)
PurePosixPath("/etc/passwd")
defaultdict(list)
ZoneInfo("UTC")
timezone.utc
datetime
SafeUUID.safe
""".strip().splitlines()


def written(data):
    return base64.b64encode(data).decode() if len(data) < 2000 else "sha256:" + hashlib.sha256(data).hexdigest()


def pickles(expression):
    value = {"v": eval(expression)}
    return {protocol: written(pickle.dumps(value, protocol)) for protocol in range(6)}


def all_pickles(expressions):
    return {expression: pickles(expression) for expression in expressions}


print(json.dumps({"plain": all_pickles(EXPRESSIONS), "refused": all_pickles(REFUSED)}, indent=2))
