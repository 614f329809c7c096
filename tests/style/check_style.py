#!/usr/bin/env python3
"""Checks that a compiler does not make.

- Coroutines are written in forms that GCC 12 compiles correctly: one co_await per statement, never
  in a condition, no temporary lambda with captures, no braced temporary and no `?:` beside it.
- Includes never run up: base < protocol, store < engine < conversation < net < programs.
- Only net and the programs use Asio and the operating system.
- Functions have at most 70 lines.
- Nobody uses asio::streambuf, which miscounts beyond 2 GiB before Asio 1.38.2.

Usage: check_style.py ROOT | check_style.py --self-test
"""

import re
import sys
from pathlib import Path

FUNCTION_LINES_MAX = 70
LINE_COLUMNS_MAX = 100
ROOMS = {"base": 0, "protocol": 1, "store": 1, "engine": 2, "conversation": 3, "net": 4}
PROGRAM_RANK = 5
CLOCK = re.compile(r"_clock::now\(|\btime\(|random_device")
CORE_FOREIGN = re.compile(
    r"<(asio|CLI|sys/|unistd|thread|mutex|atomic|iostream|fstream|coroutine)")


def without_comments_and_strings(text):
    """The same text, line by line, with comments and literals blanked out."""
    token = re.compile(
        r'R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*(?:.|\n)*?\*/')

    def blank(match):
        found = match.group(0)
        mark = '""' if found[0] in "\"R" else "0" if found[0] == "'" else ""
        return mark + "\n" * found.count("\n")

    return token.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def statement_around(text, position):
    """From the last `;`, `{` or `}` before a co_await to the `;` that ends its statement."""
    begin = max(text.rfind(mark, 0, position) for mark in ";{}") + 1
    depth = 0
    for end in range(position, len(text)):
        depth += (text[end] in "({[") - (text[end] in ")}]")
        if depth < 0 or (text[end] == ";" and depth == 0):
            return text[begin:end]
    return text[begin:]


def coroutine_faults(text):
    for match in re.finditer(r"\bco_await\b", text):
        statement = statement_around(text, match.start())
        head, awaited = statement.split("co_await", 1)
        line = line_of(text, match.start())
        if re.search(r"\b(if|while|switch|for)\b[^;]*\([^)]*$", head):
            yield line, "co_await in a condition: name the result first"
        if "co_await" in awaited:
            yield line, "two co_awaits in one statement"
        if "?" in statement:
            yield line, "?: in a statement with co_await: write if/else"
        if re.search(r"\[[&=*\w][^\]]*\]\s*(\(|\{|mutable)", awaited):
            yield line, "lambda with captures in a statement with co_await: name it first"
        if re.search(r"[\w>(,]\s*\{", awaited):
            yield line, "braced temporary in a statement with co_await: name it first"


def room_of(path):
    parts = path.parts
    for marker in ("include", "src"):
        if marker in parts:
            inner = parts[parts.index(marker) + 1:]
            if inner and inner[0] == "butterdb":
                inner = inner[1:]
            if inner and inner[0] in ROOMS:
                return inner[0]
    return None


def include_faults(path, text):
    room = room_of(path)
    rank = ROOMS.get(room, PROGRAM_RANK)
    for match in re.finditer(r"^#include (<[^>]+>|\"[^\"]+\")", text, re.M):
        target = re.match(r"<butterdb/(\w+)/", match.group(1))
        line = line_of(text, match.start())
        if target and room:
            other = target.group(1)
            if other not in ROOMS:
                yield line, f"unknown room {other}"
            elif other != room and ROOMS[other] >= rank:
                yield line, f"include runs up: {room} may not know {other}"
        if room and room != "net" and CORE_FOREIGN.match(match.group(1)):
            yield line, f"core ({room}) may not use {match.group(1)}"


def clock_faults(path, text):
    if room_of(path) not in (None, "net"):
        for match in CLOCK.finditer(text):
            yield line_of(text, match.start()), "core reads no clock and draws no random number"


def library_faults(text):
    for match in re.finditer(r"\b(asio::|basic_)streambuf\b", text):
        yield line_of(text, match.start()), "asio::streambuf: use flat_buffer"


def function_faults(text):
    """Reports bodies whose head ends in a parameter list. The code is clang-formatted: a body ends
    at a brace with the indent of its first line."""
    lines = text.split("\n")
    head = re.compile(
        r"^(\s*)(?!.*\b(?:if|for|while|switch|catch|else|do|namespace|struct|class|enum|union)\b)"
        r".*\)[^;=]*\{$")
    for number, line in enumerate(lines):
        match = head.match(line)
        if not match:
            continue
        # A head over several lines: its indent is that of the line that opens the parentheses.
        start = number
        while start > 0 and sum(l.count("(") - l.count(")") for l in lines[start:number + 1]) < 0:
            start -= 1
        indent = re.match(r"\s*", lines[start]).group(0)
        for end in range(number + 1, len(lines)):
            if lines[end].startswith(indent + "}") and not lines[end].startswith(indent + " "):
                if end - start + 1 > FUNCTION_LINES_MAX:
                    yield start + 1, f"function of {end - start + 1} lines, over {FUNCTION_LINES_MAX}"
                break


def text_faults(path, raw):
    for number, line in enumerate(raw.split("\n"), 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"line of {len(line)} columns, over {LINE_COLUMNS_MAX}"
    if path.suffix == ".hpp" and "#pragma once" not in raw:
        yield 1, "header without #pragma once"


def faults(path, raw):
    text = without_comments_and_strings(raw)
    yield from coroutine_faults(text)
    yield from include_faults(path, raw)
    yield from clock_faults(path, text)
    yield from library_faults(text)
    yield from function_faults(text)
    yield from text_faults(path, raw)


def sources(root):
    for folder in ("include", "src", "tools", "bench", "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp"):
                yield path


def check(root):
    count = 0
    files = list(sources(root))
    if not files:
        sys.exit(f"no sources under {root}")
    for path in files:
        for line, what in faults(path.relative_to(root), path.read_text()):
            print(f"{path}:{line}: {what}")
            count += 1
    print(f"{len(files)} files, {count} faults")
    return count


BAD = [
    ("src/net/a.cpp", "void f() { if (co_await g()) {} }", "condition"),
    ("src/net/a.cpp", "void f() { while (!(co_await g())) {} }", "condition"),
    ("src/net/a.cpp", "void f() { switch (co_await g()) {} }", "condition"),
    ("src/net/a.cpp", "void f() { h(co_await g(), co_await g()); }", "two co_awaits"),
    ("src/net/a.cpp", "void f() { auto x = c ? co_await a() : b(); }", "?:"),
    ("src/net/a.cpp", "void f() { co_await g([x] { return x; }); }", "lambda"),
    ("src/net/a.cpp", "void f() { co_await g([&, y = 1](int) {}); }", "lambda"),
    ("src/net/a.cpp", "void f() { co_await g(set{key, value}); }", "braced"),
    ("src/net/a.cpp", "void f() { co_await g({a, b}); }", "braced"),
    ("src/net/a.cpp", "void f() { co_await awaiter{1}; }", "braced"),
    ("src/store/a.cpp", "#include <butterdb/protocol/frame.hpp>", "runs up"),
    ("include/butterdb/base/a.hpp", "#pragma once\n#include <butterdb/store/store.hpp>", "runs up"),
    ("src/conversation/a.cpp", "#include <butterdb/net/session.hpp>", "runs up"),
    ("src/engine/a.cpp", "#include <asio/post.hpp>", "may not use"),
    ("src/store/a.cpp", "auto now = std::chrono::system_clock::now();", "clock"),
    ("src/net/a.cpp", "asio::streambuf input;", "flat_buffer"),
    ("src/net/a.cpp", "void f() { co_await g([*this] { return x; }); }", "lambda"),
    ("src/net/a.cpp", "int f() {\n" + "    ++x;\n" * 70 + "}", "function of 72 lines"),
    ("src/net/a.cpp", "int f(\n    int x) const {\n" + "    ++x;\n" * 70 + "}", "function of 73 lines"),
    ("src/net/a.cpp", "int f(\n    int x,\n    int y) {\n" + "    ++x;\n" * 70 + "}", "function of 74 lines"),
    ("src/net/a.cpp", "// " + "x" * 100, "columns"),
    ("include/butterdb/net/a.hpp", "int x;", "pragma once"),
]

GOOD = [
    ("src/net/a.cpp", "void f() { auto x = co_await g(a[1], b); if (x) { y(); } }"),
    ("src/net/a.cpp", "void f() { if (x) { co_await g(); } else { co_await h(); } }"),
    ("src/net/a.cpp", "void f() { auto l = [x] { return x; }; co_await g(std::move(l)); }"),
    ("src/net/a.cpp", "// if (co_await x)\nconst char* s = \"if (co_await x)\";"),
    ("src/engine/a.cpp", "#include <butterdb/store/store.hpp>\n#include <butterdb/protocol/frame.hpp>"),
    ("src/net/a.cpp", "int f() {\n" + "    ++x;\n" * 68 + "}"),
    ("src/net/a.cpp", "namespace a {\n" + "int x;\n" * 200 + "}"),
]


def self_test():
    failed = 0
    for name, text, expected in BAD:
        found = [what for _, what in faults(Path(name), text)]
        if not any(expected in what for what in found):
            print(f"not found: {expected} in {text[:60]!r}: {found}")
            failed += 1
    for name, text in GOOD:
        found = list(faults(Path(name), text))
        if found:
            print(f"found without reason: {found} in {text[:60]!r}")
            failed += 1
    print(f"{len(BAD) + len(GOOD)} examples, {failed} wrong")
    return failed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(1 if (self_test() if sys.argv[1] == "--self-test" else check(Path(sys.argv[1]))) else 0)
