"""Reads and writes files of features without NumPy: .npy and .npz as (dtype, shape, rows)."""
import ast, pathlib, struct, zipfile


def parse_npy(data):
    """("<f4" or "<f2", shape, flat list of values)."""
    assert data[:6] == b"\x93NUMPY", data[:6]
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    assert not header["fortran_order"]
    count = 1
    for dim in header["shape"]:
        count *= dim
    code = {"<f4": "f", "<f2": "e"}[header["descr"]]
    values = struct.unpack(f"<{count}{code}", data[10 + length:])
    return header["descr"], header["shape"], list(values)


def load(path, key=None):
    path = pathlib.Path(path)
    if path.suffix == ".npy":
        return parse_npy(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None, path
        return parse_npy(archive.read(f"{key}.npy"))


def rows(path, key=None):
    """The values as a list of rows."""
    _, shape, values = load(path, key)
    dim = shape[-1]
    return [values[i:i + dim] for i in range(0, len(values), dim)]


def npy_bytes(matrix, dtype="<f4"):
    """Rows as a two-dimensional .npy."""
    dim = len(matrix[0]) if matrix else 0
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({len(matrix)}, {dim}), }}".encode()
    header += b" " * (117 - len(header)) + b"\n"
    values = [value for row in matrix for value in row]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}{'f' if dtype == '<f4' else 'e'}", *values)
