"""What Lighthouse says of the overview, the servers and a server of a running demo.

    make demo PORT=8000                      # in another terminal
    python -m benchmarks.lighthouse [--port 8000] [--least 95] [--form desktop|mobile] [--runs 1]

Chromium signs in as the demo's admin with the form, and Lighthouse (npm's, by npx) takes over its profile. Ends with 1
when a category is below --least. A machine that is busy with something else costs points of performance: of several
--runs the one that performed best counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.e2e.conftest import ARGUMENTS, CHROMIUM

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--least", type=int, default=95)
    parser.add_argument("--form", choices=("desktop", "mobile"), default="desktop")
    parser.add_argument("--runs", type=int, default=1, help="of each page")
    given = parser.parse_args()
    root, low = f"http://127.0.0.1:{given.port}", 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        server = sign_in(root, profile)
        for path in ("/", "/servers/", f"/servers/{server}/"):
            reports = [lighthouse(root + path, profile, given.form) for _ in range(given.runs)]
            report = max(reports, key=lambda one: one["categories"]["performance"]["score"] or 0)
            scores = {name: round(100 * (report["categories"][name]["score"] or 0)) for name in CATEGORIES}
            print(f"{path:50}", *(f"{name} {score:3}" for name, score in scores.items()), flush=True)
            for name, score in scores.items():
                low += score < given.least
                for audit in failed(report, name):
                    print(f"    {name}: {audit}", flush=True)
    return int(low > 0)


def sign_in(root: str, profile: str) -> str:
    """Leave the session in the profile. The id of a server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.pages[0]
        page.goto(f"{root}/login/")
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill("admin")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{root}/")
        found = browser.request.get(f"{root}/api/v1/servers/?type=RECOVERY&limit=1").json()["results"]
        browser.close()
        return str(found[0]["uuid"])


def lighthouse(url: str, profile: str, form: str) -> dict[str, Any]:
    """The report of one page. At times Lighthouse loses its trace: then it tries again."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        flags = " ".join([*ARGUMENTS, "--headless", f"--user-data-dir={profile}"])
        command = ["npx", "--yes", "lighthouse", url, "--quiet", "--output=json", f"--output-path={report}"]
        command += [f"--chrome-flags={flags}", "--disable-storage-reset", f"--only-categories={','.join(CATEGORIES)}"]
        # The stream never ends: without a limit its page would not count as loaded for a long time.
        command += ["--max-wait-for-load=15000"]
        # It goes back and waits for the page that was kept; ours loads anew then, and it would wait for ever.
        command += ["--skip-audits=bf-cache"]
        command += ["--preset=desktop"] if form == "desktop" else []
        for _ in range(3):
            ended = subprocess.run(command, env=os.environ | {"CHROME_PATH": str(CHROMIUM)})
            if ended.returncode == 0:
                break
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
