"""Prints what was read, one thing a line: a word, then `name=value` with no spaces in a value."""

from blake3 import blake3
from queue_files import cursor_name, index_name, segment_name
from segment import Hole
from structures import FOOTER, GAP, HEADER_BLOCK, PADDING, START, footer_body

_CONTROL_NAMES = {START: "start", FOOTER: "footer", PADDING: "padding", GAP: "gap"}


class Listing:
    """Collects the lines; counts the findings among them."""

    def __init__(self):
        self.lines = []
        self.findings = 0

    def say(self, word, **fields):
        values = (f"{name}={_text(value)}" for name, value in fields.items())
        self.lines.append(" ".join((word, *values)))

    def note(self, file, offset, reason):
        """Something that a reader passes over, as a power cut leaves it too."""
        self.say("notice", file=file, offset=offset, reason=reason)

    def find(self, file, offset, reason, **fields):
        """A defect. A torn tail is none."""
        self.findings += 1
        self.say("finding", file=file, offset=offset, reason=reason, **fields)


def _text(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        return value.hex() or "empty"
    return str(value).replace(" ", "-")


def list_queue(files, log):
    listing = Listing()
    one = files.identity
    listing.say("queue", id=one.queue_id, integrity=one.integrity, created=one.created)
    _list_slots(listing, "state", "STATE", files.state)
    for number, segment in sorted(files.segments.items()):
        _list_segment(listing, files, log, number, segment)
    for consumer, slots in sorted(files.cursors.items()):
        _list_slots(listing, "cursor", cursor_name(consumer), slots)
        _list_effective(listing, log, consumer, slots)
    _list_keys(listing, files, log)
    _list_log(listing, files, log)
    return listing


def _list_keys(listing, files, log):
    """The file of keys, held against the records that are still there."""
    read, defect = files.keys()
    if read and log.state and read.epoch > log.state.epoch:
        defect = "epoch"
    if read and read.covered > log.end.next:
        defect = "covered"
    records = {frame.sequence: frame for _, frame in log.records}
    if read:
        listing.say("keys", epoch=read.epoch, covered=read.covered, count=read.count)
        for key, sequence in read.entries:
            listing.say("key", sequence=sequence, key=key)
            if sequence in records and records[sequence].key != key:
                defect = "another record"
    if defect:
        listing.find("KEYS", 0, defect)


def _list_slots(listing, word, file, slots):
    for place, (slot, defect) in enumerate(zip(slots.slots, slots.defects)):
        offset = place * 4096
        if slot:
            fields = dict(vars(slot))
            del fields["queue_id"]
            effective = slot is slots.effective
            listing.say(f"{word}-slot", file=file, offset=offset, effective=effective, **fields)
        if defect:
            listing.note(file, offset, defect)
    if not slots.effective:
        reason = "version" if slots.is_newer else "no valid slot"
        listing.find(file, 0, reason)


def _list_segment(listing, files, log, number, segment):
    header, footer = segment.header, segment.footer
    role = _role(log, segment)
    following = log.following(number)
    after = log.end.next if number == log.end.segment else following and following.base
    listing.say(
        "segment", file=segment_name(number), number=number, role=role,
        reclaimed=number < log.first, base=segment.base, next=after,
        epoch=header and header.epoch, salt=header and header.salt,
        integrity=header and header.integrity, bytes=len(segment.data),
    )
    defect = segment.header_defect or segment.start_defect
    if defect and role != "prepared" and number >= log.first:
        tell = listing.note if role == "stray" else listing.find
        tell(segment_name(number), 0 if segment.header_defect else 4096, defect)
    if segment.is_started:
        _list_frame(listing, log, segment, segment.start, vars(segment.start_fields))
    for item in segment.items:
        if isinstance(item, Hole):
            resumed = item.resumed.offset if item.resumed else None
            if resumed or not segment.is_empty_from(item.offset):
                listing.say(
                    "hole", segment=number, offset=item.offset, due=item.due,
                    reason=item.reason, resumed=resumed,
                )
        elif item.is_footer:
            _list_frame(listing, log, segment, item, vars(footer_body(item.payload)))
        else:
            _list_frame(listing, log, segment, item, {"next": item.next} if item.is_gap else {})
    read, defect = files.index_of(segment)
    if read:
        listing.say("index", file=index_name(number), next=read.next, end=read.end, count=read.count)
    if defect:
        listing.note(index_name(number), 0, defect)


def _is_blank(segment):
    """Whether nothing but a header was ever written into the file."""
    return not any(segment.data) or not segment.header_defect and not any(segment.data[HEADER_BLOCK:])


def _role(log, segment):
    """What the file is to the log."""
    if segment.number == log.end.segment:
        return "end"
    if segment.number not in log.numbers:
        return "prepared" if _is_blank(segment) and segment.number > log.end.segment else "stray"
    following = log.following(segment.number)
    if following and any(
        frame.is_footer and frame.offset == following.start_fields.previous_end
        for frame in segment.frames
    ):
        return "sealed"
    return "unsealed"


def _list_frame(listing, log, segment, frame, body):
    kind = frame.kind
    if frame.is_control:
        word, content = _CONTROL_NAMES[frame.kind], body
        kind = None
    else:
        word, content = "record", {"blake3": blake3(frame.user_bytes), "key": frame.key}
    listing.say(
        word, segment=segment.number, offset=frame.offset, sequence=frame.sequence, kind=kind,
        log=log.holds(frame), flags=frame.flags, length=frame.length, time=frame.time, watermark=frame.watermark,
        chain=log.chain.verdicts.get((segment.number, frame.offset)), **content,
    )


def _list_effective(listing, log, consumer, slots):
    file, slot = cursor_name(consumer), slots.effective
    if not slot or slot.watermark > log.end.next:
        if slot:
            listing.find(file, 0, "watermark")
        listing.say("cursor", file=file, next=slot and slot.next, effective=None)
        return
    newer = [
        log.started[number].base for number in log.numbers
        if number in log.started and log.started[number].header.epoch > slot.epoch
    ]
    effective = min(slot.next, log.end.next, *newer)
    listing.say("cursor", file=file, next=slot.next, effective=effective)


def _list_log(listing, files, log):
    for corruption in log.corruptions:
        if corruption.start == corruption.end:
            # A footer or a padding frame: no record is missing.
            file = segment_name(corruption.segment)
            listing.find(file, corruption.offset, corruption.reason)
            continue
        listing.findings += 1
        listing.say(
            "damaged", file=segment_name(corruption.segment), offset=corruption.offset,
            start=corruption.start, end=corruption.end, reason=corruption.reason,
        )
    for (number, offset), verdict in sorted(log.chain.verdicts.items()):
        if verdict == "bad":
            listing.find(segment_name(number), offset, "chain")
    base = log.state.first_base if log.is_emptied else 0
    base = log.started[log.numbers[0]].base if log.numbers and log.numbers[0] in log.started else base
    listing.say(
        "log", segments=",".join(map(str, log.numbers)) or None, clean=log.is_clean,
        durable=log.durable, first=max(base, log.state.floor if log.state else 0), next=log.end.next, records=len(log.records),
    )
    end = log.end
    listing.say("end", segment=end.segment, offset=end.offset, next=end.next, reason=end.reason)
    for number, segment in sorted(files.segments.items()):
        if not log.is_clean and number >= end.segment:
            _list_torn(listing, segment, end.offset if number == end.segment else 0)


def _list_torn(listing, segment, start):
    """What follows the log's end; a footer that stands there belongs to the log."""
    for frame in segment.frames:
        if frame.is_footer and frame.offset == start:
            start = frame.end
    # The padding of a whole frame counts with it.
    tail = min((len(segment.data.rstrip(b"\0")) + 7) // 8 * 8, len(segment.data)) - start
    # A file that was only prepared is nobody's tail.
    if tail > 0 and (start or not _is_blank(segment)):
        listing.say("torn", file=segment_name(segment.number), offset=start, bytes=tail)
