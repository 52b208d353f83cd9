#!/usr/bin/env python3
"""Whether our safetensors reader and PyPI's `safetensors` agree which files to accept, on seeded mutations of small files.

    safetensors_verdict.py [--reader build/tests/verdict_safetensors] [--count 20000] [--seed 1]

Needs safetensors from PyPI and the built tests. A file that one accepts and the other refuses is counted under our rule
that explains it (RULES); exit code 1 if no rule explains one. Names, types and shapes of accepted files aren't compared:
the unit tests do that.
"""
import argparse, collections, json, os, random, re, struct, subprocess, sys, tempfile
from pathlib import Path

import safetensors

# What we refuse although the reference accepts it: the words of our message, and why.
RULES = [
    ("duplicate", r"not valid JSON: .*duplicate object key", "a name or a key twice: the reference keeps the last"),
    ("rank", r"shape isn't a list of at most 8 sizes", "more than 8 dimensions"),
    ("overflow", r"the shape overflows", "sizes whose product overflows, though one of them is 0"),
    ("large", r"not valid JSON: .*(too big (negative )?integer|real number overflow)", "a number beyond 63 bits, where the reference doesn't look at it or a 0 hides it"),
    ("nul", r"not valid JSON: .*(NUL byte in object key|\\u0000 is not allowed)", "a NUL character in a name or text"),
    ("minus zero", r"a size or offset of -0", "-0 where the reference doesn't look at it"),
    ("memory", r"the header takes more memory", "a header that takes more memory than twice the file and 32 MiB"),
    ("metadata", r"__metadata__ isn't an object", "__metadata__ that is null"),
    ("list", r"isn't described by an object", "a tensor described by a list instead of an object"),
]

WORDS = [b"0", b"1", b"-1", b"-0", b"2", b"8", b"00", b"1.0", b"1e1", b"0.0", b"null", b"true", b"[]", b"{}", b'""', b'"F32"', b'"BF16"', b'"f32"', b'"F4"', b'"F6_E2M3"',
         b'"\\u0000"', b'"\\ud800"', b'"\\u00e9"', b'"\xc3\xa9"', b'"\xff"', b"9223372036854775807", b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
         b"99999999999999999999999", b"4294967296", b" ", b"\n", b"\t", b"\r", b"\x0b", b"\x00", b"\xef\xbb\xbf", b",", b":", b"[", b"]", b"{", b"}", b"//", b"NaN", b"Infinity", b"+1",
         b'"x":1,', b'"dtype":"F32",', b'"shape":[0],', b'"__metadata__":{"a":"b"},', b'"__metadata__":null,', b'"__metadata__":{"a":1},', b'"__metadata__":{},',
         b'"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},', b'"e":{"dtype":"F32","shape":[0,9223372036854775807,3],"data_offsets":[0,0]},',
         b'"e":["F32",[0],[0,0]],', b'"e":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,0],"data_offsets":[0,0]},']


def seeds():
    """(header, data) of files that both readers accept."""
    def file(*tensors, **more):
        header, at = dict(more), 0
        for name, dtype, shape, size in tensors:
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
            at += size
        return json.dumps(header, separators=(",", ":")).encode(), bytes(i % 251 for i in range(at))
    yield file()
    yield file(("w", "F32", [2, 2], 16))
    yield file(("b", "F32", [2], 8), ("a", "BF16", [4], 8), ("h", "F16", [1, 3], 6))
    yield file(("scalar", "F32", [], 4), ("none", "F32", [0, 4], 0), ("last", "U8", [5], 5))
    yield file(("i", "I64", [1], 8), ("j", "I32", [2], 8), ("k", "I16", [2], 4), ("l", "I8", [3], 3), ("m", "BOOL", [1], 1), ("d", "F64", [1], 8),
               ("c", "C64", [1], 8), ("u", "U16", [1], 2), ("v", "U32", [1], 4), ("w", "U64", [1], 8))
    yield file(("e4", "F8_E4M3", [2], 2), ("e5", "F8_E5M2", [2], 2), ("e8", "F8_E8M0", [2], 2), ("f4", "F4", [4], 2), ("f6", "F6_E2M3", [4], 3), ("g6", "F6_E3M2", [8], 6))
    yield file(("layer.weight", "F32", [1, 2, 1, 2, 1, 2, 1, 1], 32), __metadata__={"format": "pt", "é": "\"\\/"})
    header, data = file(("a", "F32", [3], 12))
    yield b"  " + header + b"   ", data
    yield header.replace(b",", b" ,\n ").replace(b":", b" : "), data
    yield b'{"b":{"data_offsets":[4,8],"shape":[1],"dtype":"F32"},"a":{"shape":[1],"dtype":"F32","data_offsets":[0,4],"more":[1,{"x":2}]}}', bytes(8)


def tokens(header):
    return [m.span() for m in re.finditer(rb'"(?:[^"\\]|\\.)*"|-?[0-9.eE+]+|[{}\[\],:]|\w+', header)]


TYPES = "F32 BF16 F16 I64 U8 BOOL I8 I16 U16 I32 U32 U64 F64 C64 F8_E4M3 F8_E5M2 F8_E8M0 F6_E2M3 F6_E3M2 F4 F8_E4M3FNUZ F8_E5M2FNUZ".split()


def restructure(r, header):
    """A change that keeps a well-formed header well-formed."""
    try:
        entries = json.loads(header)
        name = r.choice([n for n in entries if n != "__metadata__"])
        entry, kind = entries[name], r.randrange(10)
        if kind == 0:                               # one more dimension
            entry["shape"].insert(r.randrange(len(entry["shape"]) + 1), r.choice((0, 1, 1, 1, 2)))
        elif kind == 1:                             # one fewer
            entry["shape"].pop(r.randrange(len(entry["shape"])))
        elif kind == 2:
            entry["dtype"] = r.choice(TYPES)
        elif kind == 3:
            entry[r.choice(("more", "Dtype", "strides", ""))] = r.choice((None, 1, "x", [1, [2]], {"a": {}}, -1.5))
        elif kind == 4:                             # renamed
            entries[r.choice(("x", "", "\u00e9\u4e2d", "a.b", " ", "\n", "\U0001f600", "data_offsets", "__metadata__", "__metadata", "x" * 300))] = entries.pop(name)
        elif kind == 5:                             # an empty one, anywhere
            at = r.choice(entry["data_offsets"]) + r.choice((0, 0, 0, 1))
            entries[r.choice(("empty", "another"))] = {"dtype": r.choice(TYPES), "shape": r.choice(([0], [0, 5], [3, 0, 2])), "data_offsets": [at, at]}
        elif kind == 6:
            entries["__metadata__"] = r.choice(({}, {"a": "b"}, {"a": "b", "c": ""}, None, [], "x", {"a": 1}, {"a": None}, {"a": {"b": "c"}}))
        elif kind == 7:                             # another order
            entries = dict(r.sample(sorted(entries.items(), key=str), len(entries)))
        elif kind == 8:                             # two share a range
            entry["data_offsets"] = list(entries[r.choice([n for n in entries if n != "__metadata__"])]["data_offsets"])
        else:
            entry["data_offsets"] = r.choice((entry["data_offsets"][::-1], entry["data_offsets"] + [0], entry["data_offsets"][:1], {}, None))
        return json.dumps(entries, ensure_ascii=r.random() < 0.5, separators=r.choice(((",", ":"), (", ", ": ")))).encode()
    except (ValueError, LookupError, TypeError, AttributeError):
        return header


def mutate(r, header, data, length):
    """One change; `length` is what the first 8 bytes say in addition to the header's own length."""
    kind, spans, at = r.randrange(22), tokens(header), r.randrange(len(header) + 1)
    if kind >= 14:
        header = restructure(r, header)
    elif kind == 0 and header:                        # flips a bit
        at = min(at, len(header) - 1)
        header = header[:at] + bytes([header[at] ^ 1 << r.randrange(8)]) + header[at + 1:]
    elif kind == 1:                                 # a byte becomes any value
        header = header[:at] + bytes([r.randrange(256)]) + header[at + 1:]
    elif kind == 2:                                 # left out
        header = header[:at] + header[at + r.randint(1, 4):]
    elif kind == 3:                                 # repeated
        header = header[:at] + header[at:at + r.randint(1, 40)] + header[at:]
    elif kind in (4, 5) and spans:                  # another token
        a, b = r.choice(spans)
        header = header[:a] + r.choice(WORDS) + header[b:]
    elif kind == 6:                                 # one more, anywhere
        a = r.choice(spans)[0] if spans else at
        header = header[:a] + r.choice(WORDS) + header[a:]
    elif kind == 7:                                 # after the first brace: another entry
        header = header.replace(b"{", b"{" + r.choice(WORDS[-8:]), 1)
    elif kind in (8, 9):                            # a number slightly off
        numbers = [s for s in spans if header[s[0]:s[1]].isdigit()]
        if numbers:
            a, b = r.choice(numbers)
            header = header[:a] + str(max(0, int(header[a:b]) + r.choice((-8, -4, -2, -1, 1, 2, 4, 8)))).encode() + header[b:]
    elif kind == 10 and len(spans) > 1:             # two tokens swap places
        (a, b), (c, d) = sorted(r.sample(spans, 2))
        header = header[:a] + header[c:d] + header[b:c] + header[a:b] + header[d:]
    elif kind == 11:                                # more or less data
        data = data[:-r.randint(1, 8)] if r.random() < 0.5 else data + bytes(r.randint(1, 8))
    elif kind == 12:                                # another length
        length += r.choice((-9, -1, 1, 8, 2 ** 32, 10 ** 8, 2 ** 63))
    else:                                           # padded
        header += r.choice((b" ", b"\n", b"\x00", b"  \t\r\n")) * r.randint(1, 4)
    return header, data, length


def mutants(count, seed):
    """Distinct files."""
    r, files, seen = random.Random(seed), list(seeds()), set()
    while len(seen) < count:
        i = len(seen)
        header, data = files[i % len(files)]
        length = 0
        for _ in range(0 if i < len(files) else r.choice((1, 1, 1, 2, 2, 3, 5))):
            header, data, length = mutate(r, header, data, length)
        file = struct.pack("<Q", (len(header) + length) % 2 ** 64) + header + data
        if file not in seen:
            seen.add(file)
            yield file


def reference_accepts(path, file):
    """Opens it as a file and from memory: accepted only if both succeed."""
    path.write_bytes(file)
    verdicts = []
    for read in (lambda: list(safetensors.safe_open(path, "numpy").keys()), lambda: safetensors.deserialize(file)):
        try:
            read()
            verdicts.append("")
        except Exception as e:
            verdicts.append(f"{e}" or type(e).__name__)
    return verdicts


def our_verdicts(reader, files):
    stream = b"".join(struct.pack("<Q", len(f)) + f for f in files)
    done = subprocess.run([reader], input=stream, stdout=subprocess.PIPE, check=True)
    lines = done.stdout.decode(errors="replace").splitlines()
    assert len(lines) == len(files), f"{len(lines)} verdicts on {len(files)} files"
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", default="build/tests/verdict_safetensors")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = list(mutants(options.count, options.seed))
    ours = our_verdicts(options.reader, files)
    counts, unexplained = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.safetensors"
        for file, verdict in zip(files, ours):
            theirs = reference_accepts(path, file)
            accepted = not any(theirs)
            if accepted == (verdict == "accept"):
                counts["both accept" if accepted else "both refuse"] += 1
                continue
            rule = next((name for name, words, _ in RULES if accepted and re.search(words, verdict)), None)
            counts[f"rule: {rule}" if rule else "unexplained"] += 1
            if not rule:
                unexplained.append((file, verdict, theirs))
    print(f"safetensors {safetensors.__version__}, {len(files)} files, seed {options.seed}")
    for name in ("both accept", "both refuse"):
        print(f"  {counts[name]:6d}  {name}")
    for name, _, why in RULES:
        print(f"  {counts[f'rule: {name}']:6d}  only we refuse: {why}")
    print(f"  {counts['unexplained']:6d}  unexplained")
    for file, verdict, theirs in unexplained[:20]:
        print(f"    {file[:300]!r}\n      ours: {verdict}\n      theirs: {[t or 'accept' for t in theirs]}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
