"""The files of a queue, read as they stand; nothing here decides what a defect means."""

import re
from pathlib import Path
from urllib.parse import quote

from segment import Segment
from structures import SLOT_BLOCK, Defect, cursor_slot, identity, index, keys, state_slot

_SEGMENT_NAME = re.compile(r"([0-9]{16})\.log")
_FORBIDDEN = set('/\\:*?"<>|')


class SlotFile:
    """A file of two slots: what each says, why one does not count, and the one that counts."""

    def __init__(self, data, decode):
        self.slots = []
        self.defects = []
        for place in (0, SLOT_BLOCK):
            block = data[place:place + SLOT_BLOCK]
            slot, defect = None, None
            try:
                slot = decode(block)
            except Defect as found:
                defect = found.reason
            self.slots.append(slot)
            self.defects.append(defect if any(block) else None)
        # Of equal generations the one at 4096 counts, so it is asked first.
        valid = [slot for slot in reversed(self.slots) if slot]
        self.is_newer = "version" in self.defects
        self.effective = None
        if valid and not self.is_newer:
            self.effective = max(valid, key=lambda slot: slot.generation)


class QueueFiles:
    """Everything that was read from the folder of a queue."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.identity = identity((self.folder / "QUEUE").read_bytes())
        queue_id = self.identity.queue_id
        self.state = self._slots("STATE", lambda block: state_slot(block, queue_id))
        self.segments = {}
        self.cursors = {}
        for path in self._listed("segments"):
            match = _SEGMENT_NAME.fullmatch(path.name)
            if match and int(match[1]):
                number = int(match[1])
                self.segments[number] = Segment(number, path.read_bytes(), queue_id)
        for path in self._listed("cursors"):
            if path.name.endswith(".cursor") and is_consumer_name(path.name[:-7]):
                self._read_cursor(path.name[:-7], queue_id)

    def keys(self):
        """What the file KEYS says and why it does not count; twice nothing where there is none."""
        path = self.folder / "KEYS"
        if not path.exists():
            return None, None
        try:
            return keys(path.read_bytes(), self.identity.queue_id), None
        except Defect as defect:
            return None, defect.reason

    def _listed(self, folder):
        folder = self.folder / folder
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def _slots(self, name, decode):
        path = self.folder / name
        return SlotFile(path.read_bytes() if path.exists() else b"", decode)

    def _read_cursor(self, consumer, queue_id):
        decode = lambda block: cursor_slot(block, queue_id, consumer)
        self.cursors[consumer] = self._slots(f"cursors/{consumer}.cursor", decode)

    def index_of(self, segment):
        """The index of a segment and why it does not count; twice nothing where there is none."""
        path = self.folder / index_name(segment.number)
        if not path.exists() or not segment.is_started:
            return None, None
        try:
            read = index(path.read_bytes(), segment.header, segment.base)
        except Defect as defect:
            return None, defect.reason
        return read, None if read.entries == due_entries(segment, read.end) else "entries"


def due_entries(segment, end):
    """What an index that covers `segment` up to `end` has to say."""
    entries = []
    block = None
    for frame in segment.frames:
        if not frame.is_control and frame.offset < end and frame.offset // 4096 != block:
            block = frame.offset // 4096
            entries.append((frame.sequence, frame.offset))
    return entries


def is_consumer_name(name):
    length = len(name.encode(errors="surrogateescape"))
    printable = all(ord(letter) >= 32 and ord(letter) != 127 for letter in name)
    return 1 <= length <= 244 and name[0] != "." and printable and not _FORBIDDEN & set(name)


def segment_name(number):
    return f"segments/{number:016d}.log"


def index_name(number):
    return f"segments/{number:016d}.idx"


def cursor_name(consumer):
    return f"cursors/{quote(consumer)}.cursor"
