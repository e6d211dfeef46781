"""The structures of docs/FORMAT.md, each decoded and judged by itself."""

import struct
from dataclasses import dataclass

from blake3 import blake3
from crc32c import crc32c

CHAINED, CHECKSUMS_ONLY = 1, 2
HEADER_BLOCK = 4096
SLOT_BLOCK = 4096
ZERO_CHAIN = bytes(32)
START, FOOTER, PADDING, GAP = 1, 2, 3, 4
FLAG_SET, FLAG_MORE, FLAG_KEYED, FLAG_CONTROL = 1, 2, 4, 8
KEY_BYTES = 16
STATE_CLEAN, STATE_CONTINUES, STATE_DAMAGED = 1, 2, 4


class Defect(Exception):
    """What is wrong with the bytes of one structure, in one word of docs/FORMAT.md."""

    @property
    def reason(self):
        return self.args[0]


def require(condition, reason):
    """Raises a defect with `reason` where `condition` does not hold."""
    if not condition:
        raise Defect(reason)


def envelope(data, magic, body_bytes):
    """The body of the envelope at the front of `data`, judged in the order of the document."""
    require(data[:8] == magic, "magic")
    require(len(data) >= 20, "short")
    version, length = struct.unpack_from("<II", data, 8)
    require(16 + length + 4 <= len(data), "short")
    (checksum,) = struct.unpack_from("<I", data, 16 + length)
    require(crc32c(data[:16 + length]) == checksum, "checksum")
    require(version == 1, "version")
    require(length >= body_bytes, "short")
    return data[16:16 + length]


@dataclass
class Identity:
    """The file QUEUE."""

    queue_id: bytes
    integrity: int
    created: int


def identity(data):
    body = envelope(data, b"FBYQUEUE", 32)
    decoded = Identity(*struct.unpack_from("<16sQQ", body))
    require(decoded.integrity in (CHAINED, CHECKSUMS_ONLY), "integrity")
    return decoded


@dataclass
class SegmentHeader:
    """The envelope in the header block of a segment."""

    queue_id: bytes
    number: int
    epoch: int
    salt: int
    integrity: int

    @property
    def frame_header_bytes(self):
        return 72 if self.integrity == CHAINED else 40


def segment_header(data, queue_id, number):
    body = envelope(data, b"FBYSEGMT", 48)
    decoded = SegmentHeader(*struct.unpack_from("<16sQQQQ", body))
    require(decoded.queue_id == queue_id, "queue id")
    require(decoded.number == number, "segment number")
    require(decoded.integrity in (CHAINED, CHECKSUMS_ONLY), "integrity")
    return decoded


@dataclass
class StateSlot:
    """One slot of STATE."""

    generation: int
    queue_id: bytes
    opener: int
    flags: int
    epoch: int
    end_segment: int
    end_offset: int
    next: int
    log_bytes: int
    chain: bytes
    first_segment: int
    first_base: int
    watermark: int
    floor: int


def state_slot(data, queue_id):
    body = envelope(data, b"FBYSTATE", 144)
    decoded = StateSlot(*struct.unpack_from("<Q16sQQQQQQQ32sQQQQ", body))
    require(decoded.queue_id == queue_id, "queue id")
    require(decoded.flags <= 7, "flags")
    return decoded


@dataclass
class CursorSlot:
    """One slot of a cursor file."""

    generation: int
    queue_id: bytes
    consumer_id: bytes
    epoch: int
    next: int
    watermark: int
    hint_segment: int
    hint_offset: int
    log_bytes: int
    filter_id: bytes


def cursor_slot(data, queue_id, consumer):
    body = envelope(data, b"FBYCURSR", 120)
    decoded = CursorSlot(*struct.unpack_from("<Q16s16sQQQQQQ32s", body))
    require(decoded.queue_id == queue_id, "queue id")
    require(decoded.consumer_id == blake3(consumer.encode())[:16], "consumer id")
    return decoded


@dataclass
class Keys:
    """The file KEYS."""

    queue_id: bytes
    epoch: int
    covered: int
    count: int
    entries: list


def keys(data, queue_id):
    body = envelope(data, b"FBYKEYED", 40)
    decoded = Keys(*struct.unpack_from("<16sQQQ", body), entries=[])
    require(decoded.queue_id == queue_id, "queue id")
    require(40 + 24 * decoded.count <= len(body), "count")
    decoded.entries = list(struct.iter_unpack("<16sQ", body[40:40 + 24 * decoded.count]))
    sequences = [sequence for _, sequence in decoded.entries]
    require(sequences == sorted(set(sequences)), "order")
    require(all(sequence < decoded.covered for sequence in sequences), "covered")
    return decoded


@dataclass
class Index:
    """A whole index file."""

    queue_id: bytes
    number: int
    salt: int
    base: int
    next: int
    end: int
    count: int
    entries_checksum: int
    entries: list


def index(data, header, base):
    """The index of the segment with `header` and `base`."""
    body = envelope(data, b"FBYINDEX", 68)
    fields = struct.unpack_from("<16sQQQQQQI", body)
    decoded = Index(*fields, entries=[])
    require(decoded.queue_id == header.queue_id, "queue id")
    require(decoded.number == header.number, "segment number")
    require(decoded.salt == header.salt, "salt")
    require(decoded.base == base, "base")
    require(len(data) == 128 + 8 * decoded.count, "count")
    require(crc32c(data[128:]) == decoded.entries_checksum, "entries checksum")
    pairs = struct.iter_unpack("<II", data[128:])
    decoded.entries = [(base + ahead, 8 * eighth) for ahead, eighth in pairs]
    return decoded


@dataclass
class Frame:
    """A frame whose own bytes hold; whether it is the one that is due is judged elsewhere."""

    offset: int
    end: int
    length: int
    kind: int
    flags: int
    sequence: int
    time: int
    watermark: int
    chain: bytes
    payload: bytes

    @property
    def is_control(self):
        return bool(self.flags & FLAG_CONTROL)

    @property
    def is_footer(self):
        return self.is_control and self.kind == FOOTER

    @property
    def is_gap(self):
        return self.is_control and self.kind == GAP

    @property
    def next(self):
        """The sequence due behind this frame."""
        if not self.is_gap:
            return self.sequence + (not self.is_control)
        return gap_body(self.payload) if self.payload else self.sequence + 1

    @property
    def key(self):
        return self.payload[:KEY_BYTES] if self.flags & FLAG_KEYED else None

    @property
    def user_bytes(self):
        return self.payload[KEY_BYTES:] if self.flags & FLAG_KEYED else self.payload

    @property
    def more_follows(self):
        return not self.is_control and bool(self.flags & FLAG_MORE)


@dataclass
class StartBody:
    previous: int
    previous_end: int
    previous_next: int
    log_bytes: int
    previous_chain: bytes


def start_body(payload):
    require(len(payload) >= 64, "short")
    return StartBody(*struct.unpack_from("<QQQQ32s", payload))


@dataclass
class FooterBody:
    base: int
    count: int
    bytes: int


def footer_body(payload):
    require(len(payload) >= 24, "short")
    return FooterBody(*struct.unpack_from("<QQQ", payload))


def gap_body(payload):
    """The sequence that follows the records which are gone."""
    require(len(payload) >= 8, "short")
    return struct.unpack_from("<Q", payload)[0]


class FrameDecoder:
    """Decodes the frames of one segment: it knows what their checksums are masked with."""

    def __init__(self, header):
        self.header_bytes = header.frame_header_bytes
        self.chained = header.integrity == CHAINED
        self._mask_start = crc32c(header.queue_id + struct.pack("<Q", header.salt))

    def mask(self, offset):
        return crc32c(struct.pack("<I", offset // 8), self._mask_start)

    def frame(self, data, offset):
        """The frame at `offset` of the segment file `data`."""
        header = data[offset:offset + self.header_bytes]
        require(len(header) == self.header_bytes, "end of file")
        require(any(header), "zeros")
        head, body, length, kind, flags = struct.unpack_from("<IIIHH", header)
        mask = self.mask(offset)
        require(crc32c(header[4:]) ^ mask == head, "header checksum")
        sequence, time, watermark = struct.unpack_from("<QQQ", header, 16)
        require(flags & FLAG_SET and flags & ~0xF == 0, "flags")
        if flags & FLAG_CONTROL:
            require(kind in (START, FOOTER, PADDING, GAP), "kind")
            require(not flags & FLAG_KEYED, "flags")
        elif flags & FLAG_KEYED:
            require(length >= KEY_BYTES, "length")
        start = offset + self.header_bytes
        end = start + (length + 7) // 8 * 8
        require(end <= len(data), "length")
        payload = data[start:start + length]
        require(crc32c(payload) ^ mask == body, "payload checksum")
        require(watermark <= sequence, "watermark")
        chain = header[40:72] if self.chained else ZERO_CHAIN
        frame = Frame(offset, end, length, kind, flags, sequence, time, watermark, chain, payload)
        require(not frame.is_gap or frame.next > sequence, "gap")
        return frame


def chain_record(chain, frame):
    fixed = struct.pack(
        "<QQIHH", frame.sequence, frame.time, frame.length, frame.kind, frame.flags
    )
    return blake3(blake3(frame.payload) + fixed, chain)


def chain_gap(chain, start, end):
    return blake3(b"gap" + struct.pack("<QQ", start, end), chain)


def chain_epoch(chain, epoch, salt, sequence):
    return blake3(b"epoch" + struct.pack("<QQQ", epoch, salt, sequence), chain)
