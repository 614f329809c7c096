#!/usr/bin/env python3
"""Every defect in tests/mutants still applies to the sources. tools/mutants sees whether it is found.

Usage: check_mutants.py ROOT
"""

import shutil
import subprocess
import sys
from pathlib import Path


def main(root):
    if not shutil.which("patch"):
        print("skipped: there is no patch (tools/setup installs it)")
        return 0
    patches = sorted((root / "tests/mutants").glob("*.patch"))
    failed = 0
    for path in patches:
        done = subprocess.run(
            ["patch", "--strip=1", "--fuzz=0", "--dry-run", "--forward", "--force", "--input", str(path)], cwd=root, capture_output=True,
            text=True)
        if done.returncode != 0:
            print(f"{path.name} does not apply: {done.stdout}")
            failed += 1
    print(f"{len(patches)} defects, {failed} do not apply")
    return 1 if failed or len(patches) < 25 else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
