"""What Lighthouse says of the overview, the servers and a server of a running demo.

    make demo PORT=8000                      # in another terminal
    python -m benchmarks.lighthouse [--port 8000] [--least 95] [--form desktop|mobile]

Signs in as the demo's admin, and hands the session on as a header. Needs chromium and npx: Lighthouse comes from npm.
Ends with 1 when a category is below --least.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests

FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS += " --disable-component-update --disable-sync"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--least", type=int, default=95)
    parser.add_argument("--form", choices=("desktop", "mobile"), default="desktop")
    given = parser.parse_args()
    root = f"http://127.0.0.1:{given.port}"
    session = sign_in(root)
    server = session.get(f"{root}/api/v1/servers/?type=RECOVERY&limit=1", timeout=30).json()["results"][0]["uuid"]
    cookie = "; ".join(f"{one.name}={one.value}" for one in session.cookies)
    low = 0
    for path in ("/", "/servers/", f"/servers/{server}/"):
        report = lighthouse(root + path, cookie, given.form)
        scores = {name: round(100 * (report["categories"][name]["score"] or 0)) for name in CATEGORIES}
        print(f"{path:60}", *(f"{name} {score:3}" for name, score in scores.items()), flush=True)
        for name, score in scores.items():
            low += score < given.least
            for audit in failed(report, name):
                print(f"    {name}: {audit}")
    return int(low > 0)


def sign_in(root: str) -> requests.Session:
    session = requests.Session()
    page = session.get(f"{root}/login/", timeout=30)
    token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    asked = {"username": "admin", "password": "admin", "csrfmiddlewaretoken": token}
    answer = session.post(f"{root}/login/", data=asked, headers={"Referer": f"{root}/login/"}, timeout=30)
    if answer.url.rstrip("/") != root:
        raise SystemExit(f"{root} is not the demo: its admin cannot sign in.")
    return session


def lighthouse(url: str, cookie: str, form: str) -> dict[str, Any]:
    """The report of one page."""
    with tempfile.TemporaryDirectory() as folder:
        headers, report = Path(folder, "headers.json"), Path(folder, "report.json")
        headers.write_text(json.dumps({"Cookie": cookie}))
        command = ["npx", "--yes", "lighthouse", url, "--quiet", "--output=json", f"--output-path={report}"]
        command += [
            f"--extra-headers={headers}",
            f"--chrome-flags={FLAGS}",
            f"--only-categories={','.join(CATEGORIES)}",
        ]
        command += ["--preset=desktop"] if form == "desktop" else []
        chrome = shutil.which("chromium") or shutil.which("chromium-browser") or ""
        subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chrome})
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def failed(report: dict[str, Any], category: str) -> list[str]:
    """What cost points in a category, the dearest first."""
    costs = []
    for ref in report["categories"][category]["auditRefs"]:
        audit = report["audits"][ref["id"]]
        if ref["weight"] and audit["score"] is not None and audit["score"] < 1:
            items = [str(one.get("description", "")) for one in audit.get("details", {}).get("items", ())]
            words = [audit["title"], audit.get("displayValue", ""), *items]
            costs.append((ref["weight"] * (1 - audit["score"]), " ".join(filter(None, words))))
    return [words for _, words in sorted(costs, reverse=True)]


if __name__ == "__main__":
    sys.exit(main())
