"""The environment: what is settled in it before Django reads its settings, and how they read it."""

import base64
import ipaddress
import os
import secrets
from pathlib import Path
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
KEYS = {"DRDASH_SECRET_KEY": "secret_key", "DRDASH_ENCRYPTION_KEYS": "encryption_keys"}
# The demo has everybody's passwords: it must never meet a real database, Redis or address.
NOT_FOR_THE_DEMO = ["DATABASE_URL", "REDIS_URL", "DRDASH_PUBLIC_URL", "DRDASH_AUDIT_FILE", *KEYS]


def data_dir() -> Path:
    """DRDASH_DATA_DIR, or var/ beside the program."""
    given = os.environ.get("DRDASH_DATA_DIR", "").strip()
    return Path(given).expanduser().resolve() if given else BASE_DIR / "var"


def key(name: str) -> str:
    """The key called `name`: from the environment, else from the data folder's file, else empty."""
    if given := os.environ.get(name, "").strip():
        return given
    try:
        return (data_dir() / "keys" / KEYS[name]).read_text("ascii").strip()
    except FileNotFoundError:
        return ""


def demand_keys() -> None:
    """Refuse to run without the keys; what only reads code (checks, migrations, type checkers) does without."""
    for name in KEYS:
        if not key(name):
            raise ImproperlyConfigured(
                f"{name} is not set: set it, or start with `manage.py up`, which makes one in the data folder."
            )


def prepare(command: str) -> None:
    """Settle a manage.py command's environment: the demo has a folder of its own; it and `up` make missing keys."""
    if command == "demo":
        os.environ["DRDASH_DATA_DIR"] = str(data_dir() / "demo")
        for name in NOT_FOR_THE_DEMO:
            os.environ.pop(name, None)
    if command in {"demo", "up"}:
        made = {
            "DRDASH_SECRET_KEY": secrets.token_urlsafe(64),
            "DRDASH_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        for name in KEYS:
            if not key(name):
                keep_once(data_dir() / "keys" / KEYS[name], made[name])


def keep_once(path: Path, made: str) -> str:
    """The secret in `path`, which its owner alone may read; `made` is written there if there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written whole under another name first: a secret must never be half there, nor replaced.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(made + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text("ascii").strip()


def refuse(name: str, sentence: str) -> NoReturn:
    raise ImproperlyConfigured(f"{name} {sentence}")


def text(name: str) -> str:
    return os.environ.get(name, "").strip()


def flag(name: str) -> bool:
    given = text(name).lower()
    if given not in {"", "0", "1", "false", "true", "no", "yes", "off", "on"}:
        refuse(name, f"is {given!r}: set it to 1 or 0, or leave it out for 0.")
    return given in {"1", "true", "yes", "on"}


def whole_number(name: str, default: int, low: int, high: int) -> int:
    given = text(name) or str(default)
    if not given.isascii() or not given.isdigit() or not low <= int(given) <= high:
        refuse(name, f"is {given!r}: set it to a whole number from {low} to {high}, or leave it out for {default}.")
    return int(given)


def file(name: str, default: Path) -> Path:
    path = Path(text(name) or default)
    if not path.is_absolute() or path.is_dir():
        refuse(name, f"is {str(path)!r}: set it to the full path of a file, or leave it out for {default}.")
    return path


def one_of(name: str, default: str, choices: list[str]) -> str:
    given = text(name).upper() or default
    if given not in choices:
        refuse(name, f"is {given!r}: set it to one of {', '.join(choices)}, or leave it out for {default}.")
    return given


def hosts(name: str) -> list[str]:
    given = [one.strip().lower() for one in text(name).split(",") if one.strip()]
    for one in given:
        if "/" in one or "*" in one or " " in one or one.count(":") == 1:
            refuse(name, f"has {one!r}: list names of hosts only, with commas between them, no scheme and no port.")
    return given


def addresses(name: str, default: str) -> list[str]:
    given = [one.strip() for one in (text(name) or default).split(",") if one.strip()]
    for one in given:
        try:
            everyone = ipaddress.ip_network(one).prefixlen == 0
        except ValueError:
            everyone = True
        if everyone:
            refuse(
                name,
                f"has {one!r}: set it to addresses such as 10.0.0.5, or networks such as 10.0.0.0/24, with commas "
                f"between them, or leave it out for {default}.",
            )
    return given
