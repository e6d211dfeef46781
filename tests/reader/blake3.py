"""BLAKE3, plain and keyed, 32 bytes of output, from the BLAKE3 paper, section 2."""

import struct
from functools import lru_cache

_IV = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
# The columns, then the diagonals, of the state.
_LINES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT, _KEYED = 1, 2, 4, 8, 16
_BLOCK_BYTES, _CHUNK_BYTES = 64, 1024
_WORD = 0xFFFFFFFF


def _schedules():
    """For each of the seven rounds, the order in which it takes the words of the block."""
    order = tuple(range(16))
    schedules = []
    for _ in range(7):
        schedules.append(order)
        order = tuple(order[place] for place in _PERMUTATION)
    return schedules


_SCHEDULES = _schedules()


def _compress(chain, block, counter, length, flags):
    """The compression function; the first eight words of its output."""
    words = struct.unpack("<16I", block)
    state = [*chain, *_IV[:4], counter & _WORD, counter >> 32, length, flags]
    for order in _SCHEDULES:
        for line, (a, b, c, d) in enumerate(_LINES):
            x, y, z, w = state[a], state[b], state[c], state[d]
            x = (x + y + words[order[2 * line]]) & _WORD
            w ^= x
            w = (w >> 16 | w << 16) & _WORD
            z = (z + w) & _WORD
            y ^= z
            y = (y >> 12 | y << 20) & _WORD
            x = (x + y + words[order[2 * line + 1]]) & _WORD
            w ^= x
            w = (w >> 8 | w << 24) & _WORD
            z = (z + w) & _WORD
            y ^= z
            y = (y >> 7 | y << 25) & _WORD
            state[a], state[b], state[c], state[d] = x, y, z, w
    return [state[place] ^ state[place + 8] for place in range(8)]


def _chunk(key, data, counter, flags, root):
    """The chaining value of one chunk of at most 1024 bytes."""
    value = key
    last = max(0, (len(data) - 1) // _BLOCK_BYTES)
    for number in range(last + 1):
        block = data[number * _BLOCK_BYTES:(number + 1) * _BLOCK_BYTES]
        marks = flags
        if number == 0:
            marks |= _CHUNK_START
        if number == last:
            marks |= _CHUNK_END | root
        value = _compress(value, block.ljust(_BLOCK_BYTES, b"\0"), counter, len(block), marks)
    return value


def _tree(key, data, counter, flags, root):
    """The chaining value of `data`, whose first chunk has the number `counter`."""
    if len(data) <= _CHUNK_BYTES:
        return _chunk(key, data, counter, flags, root)
    # The left side is the largest power of two of chunks that leaves something on the right.
    chunks = (len(data) - 1) // _CHUNK_BYTES
    left = 1 << (chunks.bit_length() - 1)
    split = left * _CHUNK_BYTES
    block = struct.pack(
        "<16I",
        *_tree(key, data[:split], counter, flags, 0),
        *_tree(key, data[split:], counter + left, flags, 0),
    )
    return _compress(key, block, 0, _BLOCK_BYTES, flags | _PARENT | root)


@lru_cache(maxsize=1 << 16)
def blake3(data, key=None):
    """The 32-byte hash of `data`, keyed where a key of 32 bytes is given."""
    words = _IV if key is None else struct.unpack("<8I", key)
    flags = 0 if key is None else _KEYED
    return struct.pack("<8I", *_tree(words, data, 0, flags, _ROOT))
