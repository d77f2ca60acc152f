"""Bodies as a cloud might send them: the reference's own, changed in every way that keeps them nearly right."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.cloud.conftest import example

TASK = "5bc9464f-87b6-4ea8-aa42-050824135e63"
SITE = "06bad843-569b-4f7a-bc6b-741aab5be247"
RELS = tuple(f"DR_CLOUD_SERVER_{verb}" for verb in ("START_FAILOVER_TEST", "START_FAILOVER_PROD", "STOP_FAILOVER"))


def _server(**fields: Any) -> dict[str, Any]:
    """The reference's first server, but nothing is the matter with it."""
    server: dict[str, Any] = json.loads(example("servers_first"))["items"][0]
    return (
        server
        | {"status": "STAND_BY", "task_uuid": None, "_issues": [], "rpo": {"status": "OK", "threshold_seconds": 86400}}
        | fields
    )


def _issue(code: str, severity: str, link: str | None) -> dict[str, Any]:
    error = {"code": code, "domain": "DisasterRecovery", "message": f"It is {code}."}
    issue = {"domain": "DisasterRecovery", "target": TASK, "severity": severity, "error": error}
    return issue if link is None else {**issue, "link": link}


def _site(**fields: Any) -> dict[str, Any]:
    site: dict[str, Any] = json.loads(example("site_provisioned"))
    return site | {"uuid": SITE} | fields


def _page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "paging": {"count": len(items), "total": len(items)}}


SERVERS: list[Any] = [
    _page(_server()),
    _page(_server(status="FAILOVER_TEST")),
    _page(_server(status="FAILOVER_PROD")),
    _page(_server(status="POWERING_ON")),
    _page(_server(_issues=[_issue("QuotaReachedComputePoints", "warning", None)])),
    _page(_server(_issues=[_issue("ServerNotReady", "ERROR", RELS[0]), _issue("Odd", "WARNING", RELS[1])])),
    _page(_server(status="FAILOVER_TEST", _issues=[_issue("ServerNotLicensed", "error", None)])),
    *(json.loads(example(f"servers_{page}")) for page in ("first", "last", "none")),
]
SITES: list[Any] = [
    _page(_site()),
    _page(_site(failover_readiness="WARNING", _issues=[_issue("VPNS2SApplianceNotRegistered", "WARNING", None)])),
    _page(_site(failover_readiness="ERROR", _issues=[_issue("QuotaExceededCloudServers", "ERROR", None)])),
    _page(_site(status="PROVISIONING", _issues=[_issue("SiteNotReady", "ERROR", None)])),
    *(json.loads(example(f"sites_{page}")) for page in ("first", "last", "none")),
]
OTHERS: list[Any] = [
    *(json.loads(example(f"error_{status}")) for status in (400, 401, 403, 404, 409, 429, 500)),
    json.loads(example("accepted")),
    {"access_token": "simulated-token-a", "token_type": "bearer", "expires_on": 1_700_007_200, "refresh_token": "r",
     "scope": "dr_service::admin", "expires_in": 7200},
    {"error": "invalid_grant", "error_description": "The username or the password is wrong."},
]  # fmt: skip

# What stands in for a value. Texts that are written raw into the JSON are in RAW.
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**300, -(10**30), 0.5, -0.0, 1e308, "", " ", "0", "null", "OK ",
    "ok", "Ok", "OK\0", "\ufeffOK", "ΟΚ", "SUCCESS ", "STAND_BY ", "stand_by", "STAND_BY\0", "STANDBY",
    "FAILOVER_TEST_2", "NEBULOUS", "RECOVERY ", "recovery", "PROVISIONED ", "INFO", "CRITICAL", "Warning", "ERROR\n",
    "UNKNOWN", "green", "good", "true", "DR_CLOUD_SERVER_START_FAILOVER_TEST ", "DR_CLOUD_SERVER_FLY", *RELS, TASK,
    TASK.upper(), "../../etc", "javascript:alert(1)", "<script>", "{{ it }}", "%00", "\u2028", "\ud800", "\udfff\ud800",
    "🜨" * 3, "é" * 300, "a" * 5000, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2018-13-45T99:99:99Z", "soon",
    [], [[]], [None], [""], [1, "a"], {}, {"": ""}, {"code": 7}, {"status": "OK"}, {"_issues": []}, [{}], [[{}]],
]  # fmt: skip
RAW = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5000, "0." + "1" * 400, "01", "'x'",
       '"\\ud800"', '"\\x"', '"\t"', '"\\u0000"', "[" * 60 + "]" * 60, '{"a":' * 60 + "1" + "}" * 60, "tru", "",
       "[" * 3000 + "]" * 3000]  # fmt: skip
WRAPPED = [
    lambda text: b"\xef\xbb\xbf" + text,
    lambda text: text + b"\n\n",
    lambda text: text + text,
    lambda text: b" \r\n\t" + text,
    lambda text: b"[" + text + b"]",
    lambda text: text.decode("latin-1").encode("utf-16"),
    lambda text: text.replace(b'"', b"'"),
    lambda text: text.replace(b":", b": /**/ "),
    lambda text: text[:-1] + b",}",
    lambda text: b")]}'\n" + text,
    lambda text: b"<html>" + text,
    lambda text: text.replace(b"e", b"\xff", 1),
    lambda text: text.replace(b"STAND_BY", b"STAND\xc0\x80BY"),
]
CHANGES = ("drop", "odd", "odd", "odd", "raw", "rename", "wrap", "unwrap", "more", "case")
ANY_ODD = st.sampled_from(ODD).map(deepcopy)  # a later change may be within it
# Half of the changes go to what decides on green and on allowed; a document has many more places besides.
TELLING = {
    "rpo", "status", "type", "severity", "_issues", "_links", "task_uuid", "failover_readiness", "last_status", "link",
    "rel", "code", "uuid", "items", "total", "deleted_at", "error", "retry_after", "task_uuids", "access_token",
    "expires_in",
}  # fmt: skip
Path = tuple[str | int, ...]
_HOLE = "\x01"  # where a raw text goes, once the rest is JSON


def changed(documents: list[Any]) -> st.SearchStrategy[bytes]:
    """One of the documents as JSON, changed in up to four places, with a name twice, and then perhaps as a whole."""
    known = [(document, *_places(document)) for document in documents]
    return st.builds(_text, _documents(known), st.sampled_from(RAW), _twice()).flatmap(_as_a_whole)


def each_alone(document: Any) -> Iterator[bytes]:
    """The document with one of its telling values replaced, by each odd one in turn."""
    for path in _places(document)[1]:
        for odd in ODD:
            copy = {"": deepcopy(document)}
            parent, key = _at(copy, path)
            parent[key] = deepcopy(odd)
            yield json.dumps(copy[""]).encode()


def _places(document: Any) -> tuple[list[Path], list[Path]]:
    every = list(paths(document))
    return every, [path for path in every if path and path[-1] in TELLING] or every


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Every place in a document, the whole one first."""
    yield here
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*here, key))


@st.composite
def _documents(draw: st.DrawFn, known: list[tuple[Any, list[Path], list[Path]]]) -> Any:
    original, every, telling = draw(st.sampled_from(known))
    document = {"": deepcopy(original)}
    for _ in range(draw(st.integers(0, 4))):
        parent, key = _at(document, draw(st.sampled_from(every) | st.sampled_from(telling)))
        if parent is not None:  # an earlier change may have taken the place away
            _change(draw, parent, key)
    return document.get("")


def _change(draw: st.DrawFn, parent: Any, key: Any) -> None:
    value = parent[key]
    match draw(st.sampled_from(CHANGES)):
        case "drop":
            del parent[key]
        case "odd":
            parent[key] = draw(ANY_ODD | st.text(max_size=8) | st.integers() | st.floats())
        case "raw":
            parent[key] = _HOLE
        case "rename" if isinstance(parent, dict):
            name = draw(st.sampled_from([str(key).upper(), f"{key}s", f"_{key}", f"{key}\0", "", "BACKUP_URI"]))
            parent[name] = parent.pop(key)
        case "wrap":
            parent[key] = [value] if draw(st.booleans()) else {str(key): value}
        case "unwrap" if isinstance(value, list | dict) and value:
            parent[key] = next(iter(value.values() if isinstance(value, dict) else value))
        case "more" if isinstance(value, list):
            value.append(draw(ANY_ODD | st.just(deepcopy(value[0]))) if value else draw(ANY_ODD))
        case "case" if isinstance(value, str):
            parent[key] = value.swapcase()


def _at(document: Any, path: Path) -> tuple[Any, Any]:
    """The container and the key of a place; None where it is no more."""
    parent, key, value = None, None, document
    for step in ("", *path):
        try:
            parent, key, value = value, step, value[step]
        except (KeyError, IndexError, TypeError):
            return None, None
    return (parent, key) if isinstance(parent, dict | list) else (None, None)


def _twice() -> st.SearchStrategy[tuple[str, Any, bool] | None]:
    """A name to be there a second time with another value, before the first or behind it."""
    return st.none() | st.tuples(st.sampled_from(sorted(TELLING)), ANY_ODD, st.booleans())


def _text(document: Any, raw: str, twice: tuple[str, Any, bool] | None) -> bytes:
    text = json.dumps(document).replace(json.dumps(_HOLE), raw)
    if twice:
        name, other, before = twice
        field = f"{json.dumps(name)}: {json.dumps(other)}"
        if before:
            text = text.replace(f'"{name}": ', f'{field}, "{name}": ', 1)
        else:
            text = re.sub(rf'("{name}": (?:"[^"]*"|\w+|\[\]))', lambda found: f"{found[0]}, {field}", text, count=1)
    return text.encode("utf-8", "surrogatepass")


def _as_a_whole(body: bytes) -> st.SearchStrategy[bytes]:
    """Mostly as it is, or cut off, or wrapped, or with one byte that flipped."""
    cut = st.integers(0, len(body)).map(lambda length: body[:length])
    flip = st.tuples(st.integers(0, max(0, len(body) - 1)), st.integers(1, 255))
    flipped = flip.map(lambda at: body[: at[0]] + bytes(byte ^ at[1] for byte in body[at[0] :][:1]) + body[at[0] + 1 :])
    wrapped = st.sampled_from(WRAPPED).map(lambda wrap: wrap(body))
    return st.sampled_from([*[st.just(body)] * 7, cut, wrapped, flipped]).flatmap(lambda one: one)
