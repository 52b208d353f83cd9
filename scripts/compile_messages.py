#!/usr/bin/env python3
"""compile_messages.py IN.po OUT.mo: what msgfmt does, for our own catalogues, so that the build needs no gettext.

A translation whose directives (%s, %.1f, ...) aren't those of the text, in their order, is refused: it is a format.
"""
import ast, pathlib, re, struct, sys

DIRECTIVE = re.compile(r"%(?:%|[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z])")


def read(path):
    """{text: translation}, the header under ''."""
    entries, key, parts = {}, None, {"msgid": "", "msgstr": ""}

    def close():
        if key == "msgstr":
            if parts["msgid"] in entries:
                raise SystemExit(f"{path}: twice: {parts['msgid']!r}")
            entries[parts["msgid"]] = parts["msgstr"]

    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r'(?:(msgid|msgstr)\s+)?(".*")', line)
        if not match or not (match[1] or key):
            raise SystemExit(f"{path}:{number}: can't be read: {line}")
        if match[1] == "msgid":
            close()
            parts = {"msgid": "", "msgstr": ""}
        key = match[1] or key
        parts[key] += ast.literal_eval(match[2])
    close()
    return entries


def check(path, entries):
    for text, translation in entries.items():
        if text and DIRECTIVE.findall(text) != DIRECTIVE.findall(translation):
            raise SystemExit(f"{path}: other directives than the text's: {text!r} -> {translation!r}")
    if "charset=UTF-8" not in entries.get("", ""):
        raise SystemExit(f"{path}: the header doesn't say charset=UTF-8")


def pack(entries):
    pairs = sorted((k.encode(), v.encode()) for k, v in entries.items() if v)
    count, head = len(pairs), 28
    tables, data, offset = [b"", b""], b"", head + 16 * count
    for side in (0, 1):
        for pair in pairs:
            tables[side] += struct.pack("<II", len(pair[side]), offset + len(data))
            data += pair[side] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, count, head, head + 8 * count, 0, head + 16 * count) + tables[0] + tables[1] + data


def main():
    source, out = sys.argv[1:]
    entries = read(source)
    check(source, entries)
    pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(out).write_bytes(pack(entries))


if __name__ == "__main__":
    main()
