"""What has to be settled before Django reads its settings: the data folder, and the keys in it."""

import base64
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
KEYS = {"DRDASH_SECRET_KEY": "secret_key", "DRDASH_ENCRYPTION_KEYS": "encryption_keys"}
# The demo has everybody's passwords: it must never meet a real database, Redis or address.
NOT_FOR_THE_DEMO = ["DATABASE_URL", "REDIS_URL", "DRDASH_PUBLIC_URL", *KEYS]


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
