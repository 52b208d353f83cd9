#!/usr/bin/env python3
"""Makes tests/data/torch: files as torch.save writes them, and files made to harm whoever reads them.

    make_torch_files.py [FOLDER]        needs torch and safetensors

good/*.pt all hold the tensors of expected.safetensors, each in another form. bad/*.pt must be refused; for each,
refusals.txt has the words that its error must contain: "file<TAB>words". Large cases (pickles that want memory) are
made by the test itself.
"""
import io, pickle, struct, sys, zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "tests/data/torch")


def values(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float64) * 0.75 - 3).reshape(shape).to(dtype)


def tensors():
    base = values(6, 8)
    return {
        "conv.weight": values(4, 3, 2, 2),
        "scalar": torch.tensor(3.25),
        "types.half": values(3, 5, dtype=torch.float16),
        "types.brain": values(4, 2, dtype=torch.bfloat16),
        "types.double": values(5, dtype=torch.float64),
        "types.long": torch.arange(6) - 3,
        "types.int": torch.arange(4, dtype=torch.int32),
        "types.short": torch.arange(3, dtype=torch.int16),
        "types.char": torch.arange(5, dtype=torch.int8) - 2,
        "types.byte": torch.arange(7, dtype=torch.uint8),
        "types.bool": torch.tensor([True, False, True]),
        "types.complex": torch.complex(values(3), values(3) * 2),
        "views.empty": torch.zeros(0, 4),
        "views.whole": base,                          # these five share a storage
        "views.rows": base[2:4],
        "views.transposed": base.t(),
        "views.strided": base[::2, 1::3],
        "views.inner": base[1:5, 2:6].permute(1, 0),
        "views.expanded": base[:1, :1].expand(3, 4),
        "views.parameter": torch.nn.Parameter(values(2, 3)),
    }


def state_of_a_module():
    """A module's own state_dict(): an OrderedDict with _metadata as an attribute."""
    module = torch.nn.Module()
    for name, t in tensors().items():
        at = module
        *path, last = name.split(".")
        for part in path:
            if part not in at._modules:
                at.add_module(part, torch.nn.Module())
            at = getattr(at, part)
        at._buffers[last] = t.detach()  # some have the names of methods
    return module.state_dict()


def good():
    state = tensors()
    extra = {"epoch": 7, "lr": 1e-4, "name": "x", "none": None, "flags": [True, False], "sizes": (1, 2, 3), "big": 2 ** 70, "negative": -5, "far": -2 ** 40,
             "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]}}
    prefixes = ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
    def prefixed(name, i):
        head, _, tail = name.rpartition(".")
        return prefixes[i % 4] + name if not head else f"{head}._orig_mod.{tail}"
    # Includes a dict that holds itself.
    itself = OrderedDict(model=OrderedDict(state))
    itself["model"]["model"] = itself["model"]
    itself["state_dict"] = itself
    yield "zip_plain.pt", state, {}
    yield "zip_protocol4.pt", state, {"pickle_protocol": 4}
    yield "zip_nested.pth", {**extra, "model": state}, {}
    yield "zip_nested_twice.bin", {"model": {"name": "vit"}, "state_dict": {"module": state, "epoch": torch.tensor(3)}}, {"pickle_protocol": 3}
    yield "zip_prefixed.pt", OrderedDict((prefixed(n, i), t) for i, (n, t) in enumerate(state.items())), {}
    yield "zip_module.pt", state_of_a_module(), {}
    yield "zip_large_fields.pt", itself, {}
    yield "legacy_plain.pt", state, {"_use_new_zipfile_serialization": False}
    yield "legacy_nested.pt", {**extra, "module": state}, {"_use_new_zipfile_serialization": False}
    yield "legacy_protocol4.pt", {"model": state}, {"_use_new_zipfile_serialization": False, "pickle_protocol": 4}


def with_large_fields(raw):
    """The same ZIP file as if it had 4 GB entries: sizes and offsets in zip64 fields only."""
    entries = zipfile.ZipFile(io.BytesIO(raw)).infolist()
    full, directory = 0xffffffff, b""
    for e in entries:
        extra = struct.pack("<HHQQQ", 1, 24, e.file_size, e.compress_size, e.header_offset)
        directory += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 0, 0, 0, e.CRC, full, full, len(e.filename), len(extra), 0, 0, 0, 0, full)
        directory += e.filename.encode() + extra
    start = raw.index(b"PK\1\2")
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, len(entries), len(entries), len(directory), start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, start + len(directory), 1)
    return raw[:start] + directory + end64 + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xffff, 0xffff, full, full, 0)


# ---- hostile files: pickles written by hand

def text(s):
    raw = s.encode() if isinstance(s, str) else s
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(n):
    raw = n.to_bytes((n.bit_length() + 8) // 8 or 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def storage(key="0", count=4, kind="FloatStorage", tag="storage", more=b""):
    return b"(" + text(tag) + name("torch", kind) + text(key) + text("cpu") + number(count) + more + b"tQ"


def tensor(first=0, shape=(4,), strides=(1,), of=None, function=("torch._utils", "_rebuild_tensor_v2")):
    return (name(*function) + b"(" + (of or storage()) + number(first) + tuple_of(*map(number, shape)) + tuple_of(*map(number, strides)) + b"\x89"
            + name("collections", "OrderedDict") + b")RtR")


def one(body, key="w"):
    return b"\x80\x02}" + text(key) + body + b"s."


def container(pickled, data=b"\0" * 16, names=("a/data.pkl", "a/data/0"), order=b"little", method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for n, d in ((names[0], pickled), ("a/byteorder", order), (names[1], data)):
            z.writestr(zipfile.ZipInfo(n), d, method)
    return out.getvalue()


def legacy(pickled, keys=("0",), storages=None, magic=0x1950a86a20f9469cfc6c, version=1001, little=True):
    out = io.BytesIO()
    for v in (magic, version, {"protocol_version": 1001, "little_endian": little}):
        pickle.dump(v, out, 2)
    out.write(pickled)
    pickle.dump(list(keys), out, 2)
    out.write(struct.pack("<q", 4) + b"\0" * 16 if storages is None else storages)
    return out.getvalue()


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def patched(data, find, replace, last=False):
    at = data.rfind(find) if last else data.find(find)
    assert at >= 0 and len(find) == len(replace)
    return data[:at] + replace + data[at + len(find):]


def central(data, entry, offset, value):
    """The entry's record in the ZIP directory, with other bytes at an offset."""
    at = -1
    for _ in range(entry + 1):
        at = data.index(b"PK\1\2", at + 1)
    return data[:at + offset] + value + data[at + offset + len(value):]


def bad():
    import argparse, os
    good = container(one(tensor()))
    local = [i for i in range(len(good)) if good[i:i + 4] == b"PK\3\4"]
    # Names
    yield "global_system", container(one(pickle.dumps(Calls(os.system, "touch /tmp/tubelet-was-here"), 2)[2:-1])), "refuses to load posix.system"
    yield "global_protocol4", container(pickle.dumps({"w": Calls(os.system, "touch /tmp/tubelet-was-here")}, 4)), "refuses to load posix.system"
    yield "global_eval", container(one(pickle.dumps(Calls(eval, "1"), 2)[2:-1])), "refuses to load __builtin__.eval"
    yield "global_namespace", container(pickle.dumps({"args": argparse.Namespace(lr=1)}, 2)), "refuses to load argparse.Namespace"
    yield "global_legacy", legacy(pickle.dumps({"w": Calls(os.system, "touch /tmp/tubelet-was-here")}, 2)), "refuses to load posix.system"
    yield "global_near_torch", container(one(name("torch._utils", "_rebuild_tensor_v3"))), "refuses to load torch._utils._rebuild_tensor_v3"
    yield "global_near_storage", container(one(name("torch", "FloatStorage.__init__"))), "refuses to load torch.FloatStorage.__init__"
    yield "global_dots", container(one(name("collections", "OrderedDict.fromkeys"))), "refuses to load collections.OrderedDict.fromkeys"
    yield "global_dtype", container(one(name("torch", "float32"))), "refuses to load torch.float32"
    yield "global_in_legacy_header", b"\x80\x02" + name("os", "system") + b".", "refuses to load os.system"
    # Pickles
    yield "opcode_inst", container(b"\x80\x02(ios\nsystem\n."), "an instruction that torch.save doesn't write"
    yield "opcode_extension", container(b"\x80\x02\x82\x01."), "an instruction that torch.save doesn't write"
    yield "opcode_newobj", container(b"\x80\x02" + name("collections", "OrderedDict") + b")\x81."), "an instruction that torch.save doesn't write"
    yield "call_storage", container(one(name("torch", "FloatStorage") + b")R")), "a call of something that isn't a function"
    yield "call_text", container(one(text("x") + b")R")), "a call of something that isn't a function"
    yield "build_tensor", container(one(tensor() + b"}b")), "sets the state of something"
    yield "underflow", container(b"\x80\x020."), "a value is missing"
    yield "mark_underflow", container(b"\x80\x02}(0t."), "a mark is missing"
    yield "below_the_mark", container(b"\x80\x02K\x01(\x85."), "a value is missing"
    yield "append_to_dict", container(b"\x80\x02}K\x01a."), "a list is missing"
    yield "odd_dict", container(b"\x80\x02}(K\x01u."), "a key without a value"
    yield "memo_missing", container(b"\x80\x02h\x07."), "a reference to a value that isn't there"
    yield "memo_far", container(b"\x80\x02Nr\xff\xff\xff\x7f."), "a reference beyond all values"
    yield "no_stop", container(b"\x80\x02}"), "it is cut short"
    yield "text_cut_short", container(b"\x80\x02X\xff\xff\x00\x00ab."), "it is cut short"
    yield "text_too_long", container(b"\x80\x02X\xff\xff\xff\xffab."), "a text that is too long"
    yield "two_values", container(b"\x80\x02NN."), "more or less than one value"
    yield "open_mark", container(b"\x80\x02(N."), "more or less than one value"
    yield "protocol_0", container(b"\x80\x00N."), "an unknown protocol"
    # Tensors and storages
    yield "leaves_storage", container(one(tensor(shape=(5,)))), "a tensor that leaves its storage"
    yield "leaves_by_first", container(one(tensor(first=1))), "a tensor that leaves its storage"
    yield "leaves_by_stride", container(one(tensor(shape=(2, 2), strides=(3, 1)))), "a tensor that leaves its storage"
    yield "stride_overflows", container(one(tensor(shape=(3, 3), strides=(2 ** 62, 2 ** 62)))), "a tensor that leaves its storage"
    yield "shape_overflows", container(one(tensor(shape=(2 ** 40, 2 ** 40), strides=(0, 0)))), "a tensor that leaves its storage"
    yield "bytes_overflow", container(one(tensor(shape=(2 ** 31, 2 ** 31), strides=(0, 0)))), "the shape overflows"
    yield "empty_overflows", container(one(tensor(shape=(0, 2 ** 40, 2 ** 40), strides=(0, 0, 0)))), "a tensor that leaves its storage"
    yield "expanded_far", container(one(tensor(shape=(2 ** 30,), strides=(0,)))), "more than twice the bytes of the file"
    yield "negative_size", container(one(tensor(shape=(-1,)))), "sizes or strides"
    yield "negative_stride", container(one(tensor(strides=(-1,)))), "sizes or strides"
    yield "negative_first", container(one(tensor(first=-1))), "isn't described as torch does"
    yield "rank_9", container(one(tensor(shape=(1,) * 9, strides=(1,) * 9))), "at most 8 dimensions"
    yield "ranks_differ", container(one(tensor(shape=(2, 2)))), "sizes or strides"
    yield "size_not_a_number", container(one(tensor().replace(number(4) + b"t" + b"(", b"Nt("))), "sizes or strides"
    yield "storage_missing", container(one(tensor(of=storage(key="7")))), 'storage "7" isn\'t in the file'
    yield "storage_elsewhere", container(one(tensor(of=storage(key="../data.pkl")))), 'isn\'t in the file'
    yield "storage_too_short", container(one(tensor(of=storage(count=5)))), "has 16 bytes, its tensors say 20"
    yield "storage_too_long", container(one(tensor(shape=(3,), of=storage(count=3)))), "has 16 bytes, its tensors say 12"
    yield "storage_negative", container(one(tensor(of=storage(count=-4)))), "impossible size"
    yield "storage_huge", container(one(tensor(of=storage(count=2 ** 62)))), "impossible size"
    yield "storage_tag", container(one(tensor(of=storage(tag="module")))), "a storage that isn't described"
    yield "storage_view", container(one(tensor(of=storage(more=tuple_of(text("1"), number(0), number(4)))))), "a view of another"
    yield "storage_quantized", container(one(tensor(of=storage(kind="QInt8Storage")))), "refuses to load torch.QInt8Storage"
    # State dicts
    yield "no_dict", container(b"\x80\x02" + tensor() + b"."), "it doesn't hold a dict"
    yield "no_tensors", container(one(b"K\x01", key="epoch")), 'its keys are "epoch"'
    yield "two_of_a_name", container(b"\x80\x02}" + text("a.w") + tensor() + b"s" + text("module.a.w") + tensor() + b"s."), '"a.w" is there twice'
    yield "name_not_text", container(b"\x80\x02}K\x01" + tensor() + b"s."), "whose name isn't text"
    yield "name_not_utf8", container(b"\x80\x02}" + text(b"w\xff") + tensor() + b"s."), "whose name isn't text"
    yield "name_with_nul", container(b"\x80\x02}" + text(b"w\0v") + tensor() + b"s."), "whose name isn't text"
    # ZIP containers
    yield "zip_truncated", good[:-30], "is truncated"
    yield "zip_compressed", container(one(tensor()), method=zipfile.ZIP_DEFLATED), "compressed or encrypted"
    yield "zip_encrypted", central(good, 0, 8, b"\1\0"), "compressed or encrypted"
    yield "zip_no_pickle", container(one(tensor()), names=("a/other.pkl", "a/data/0")), "no data.pkl in it"
    yield "zip_top_pickle", container(one(tensor()), names=("data.pkl", "data/0")), "no data.pkl in it"
    yield "zip_two_pickles", container(one(tensor()), names=("a/data.pkl", "b/data.pkl")), "more than one data.pkl"
    yield "zip_two_of_a_name", container(one(tensor()), names=("a/data.pkl", "a/byteorder")), "have one name"
    yield "zip_big_endian", container(one(tensor()), order=b"big"), "isn't little-endian"
    yield "zip_overlap", central(good, 2, 42, struct.pack("<I", local[1])), "overlap"
    yield "zip_overlap_data", central(good, 0, 20, struct.pack("<II", len(good) - 300, len(good) - 300)), "overlap"
    yield "zip_one_for_all", central(central(good, 2, 42, struct.pack("<I", local[0])), 1, 42, struct.pack("<I", local[0])), "overlap"
    yield "zip_entry_leaves", central(good, 2, 20, struct.pack("<II", 2 ** 31, 2 ** 31)), "leaves the file"
    yield "zip_into_directory", central(good, 2, 20, struct.pack("<II", 200, 200)), "leaves the file"
    yield "zip_header_leaves", central(good, 2, 42, struct.pack("<I", 2 ** 31)), "leaves the file"
    yield "zip_sizes_differ", central(good, 2, 20, struct.pack("<I", 15)), "directory is damaged"
    yield "zip_name_leaves", central(good, 2, 28, b"\xff\xff"), "directory is damaged"
    yield "zip_count_lies", patched(good, struct.pack("<HH", 3, 3), struct.pack("<HH", 2, 2), last=True), "directory is damaged"
    yield "zip_count_huge", patched(good, struct.pack("<HH", 3, 3), b"\xfe\xff\xfe\xff", last=True), "more entries than it can hold"
    yield "zip_prefixed", b"#!/bin/sh\n" + good, "isn't a torch.save file"
    yield "zip_local_name", patched(good, b"a/data/0", b"a/data/1"), "isn't where that says"
    # Legacy containers
    yield "legacy_magic", legacy(one(tensor()), magic=0x1950a86a20f9469cfc6d), "isn't a torch.save file"
    yield "legacy_version", legacy(one(tensor()), version=1002), "unknown version"
    yield "legacy_big_endian", legacy(one(tensor()), little=False), "isn't little-endian"
    yield "legacy_truncated", legacy(one(tensor()))[:-1], "is truncated"
    yield "legacy_more", legacy(one(tensor())) + b"x", "1 bytes after the last storage"
    yield "legacy_count_lies", legacy(one(tensor()), storages=struct.pack("<q", 5) + b"\0" * 20), "has 5 values, its tensors say 4"
    yield "legacy_count_huge", legacy(one(tensor()), storages=struct.pack("<q", -1) + b"\0" * 16), "its tensors say 4"
    yield "legacy_keys_differ", legacy(one(tensor()), keys=("1",)), "doesn't agree with its tensors"
    yield "legacy_key_twice", legacy(one(tensor()), keys=("0", "0"), storages=(struct.pack("<q", 4) + b"\0" * 16) * 2), "doesn't agree with its tensors"
    yield "legacy_key_missing", legacy(one(tensor()), keys=(), storages=b""), 'storage "0" isn\'t in the file'
    yield "legacy_two_sizes", legacy(b"\x80\x02}" + text("a") + tensor() + b"s" + text("b") + tensor(shape=(1,), of=storage(count=1)) + b"s."), "two sizes or types"
    yield "not_torch", b"hello, world", "isn't a torch.save file"
    yield "nothing", b"", "isn't a torch.save file"


def main():
    for folder in ("good", "bad"):
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
        for old in (ROOT / folder).iterdir():
            old.unlink()
    torch.manual_seed(0)
    save_file({n: t.detach().contiguous().clone() for n, t in tensors().items()}, ROOT / "expected.safetensors")
    for file, data, options in good():
        torch.save(data, ROOT / "good" / file, **options)
    large = ROOT / "good/zip_large_fields.pt"
    large.write_bytes(with_large_fields(large.read_bytes()))
    lines = []
    for file, data, words in bad():
        (ROOT / "bad" / f"{file}.pt").write_bytes(data)
        lines.append(f"{file}.pt\t{words}\n")
    (ROOT / "refusals.txt").write_text("".join(lines))
    print(sum(f.stat().st_size for f in ROOT.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    main()
