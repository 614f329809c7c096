#!/usr/bin/env python3
"""The programs and libraries of a build have the hardening that cmake/hardening.cmake promises.

Usage: check_hardening.py BUILD_DIR BUILD_TYPE
"""

import json
import re
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("butterdb", "butterdb-client", "butterdb-bench")
LIBRARIES = ("libbutterdb_core.a", "libbutterdb_net.a")
FLAGS = ("-fstack-protector-strong", "-fstack-clash-protection", "-D_GLIBCXX_ASSERTIONS")
NOT_OPTIMISED = ("", "Debug", "Coverage", "Sanitize")  # or not known to be


def readelf(path, *options):
    return subprocess.run(["readelf", "--wide", *options, path], check=True, capture_output=True, text=True).stdout


def program_faults(path, optimised):
    text = readelf(path, "--file-header", "--program-headers", "--dynamic", "--dyn-syms")
    wanted = {
        "is no position-independent executable": r"Type: +DYN \(Position-Independent",
        "keeps its relocations writable (relro)": r"(?m)^ +GNU_RELRO ",
        "resolves symbols when they are called (now)": r"\(FLAGS_1\) +Flags: .*\bNOW\b",
        "has an executable stack": r"(?m)^ +GNU_STACK .* RW +0x",
        "has no stack protector": r" __stack_chk_fail@",
    }
    if optimised:
        wanted["calls none of the C library's checks (fortify)"] = r" __(?!stack_)\w+_chk@"
    return [f"{path.name} {fault}" for fault, pattern in wanted.items() if not re.search(pattern, text)]


def library_faults(path):
    """Each object is marked for shadow stacks. A program is only where the C library is, too."""
    if "X86-64" not in readelf(path, "--file-header"):
        return []
    text = readelf(path, "--notes")
    bare = [part.split(")")[0].rsplit("(")[-1] for part in text.split("File: ")[1:] if "SHSTK" not in part]
    return [f"{path.name}({name}) is not compiled with -fcf-protection" for name in bare]


def command_faults(commands, optimised):
    """What cannot be seen in a program."""
    flags = FLAGS + (("-D_FORTIFY_SOURCE=3",) if optimised else ())
    for command in commands:
        for flag in flags:
            if command["file"].endswith(".cpp") and flag not in command["command"].split():
                yield f"{command['file']} is compiled without {flag}"


def main(build, build_type):
    optimised = build_type not in NOT_OPTIMISED
    faults = [fault for name in PROGRAMS for fault in program_faults(build / name, optimised)]
    faults += [fault for name in LIBRARIES for fault in library_faults(build / name)]
    database = build / "compile_commands.json"
    if database.exists():
        faults += command_faults(json.loads(database.read_text()), optimised)
    else:
        print("the commands are not checked: there is no compile_commands.json")
    print("\n".join(faults) or "all hardened")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
