"""One segment file: its header, its start frame, and what its bytes hold, also past holes."""

from dataclasses import dataclass

from structures import (
    FOOTER, HEADER_BLOCK, START, Defect, FrameDecoder, footer_body, require, segment_header,
    start_body,
)


@dataclass
class Hole:
    """A place where the frame that was due is not, and where reading goes on."""

    offset: int
    due: int
    reason: str
    # Where the next readable frame is and its sequence; none where there is none.
    resumed: object = None


class Segment:
    """The file of one segment. `defect` says why it is not started, where it is not."""

    def __init__(self, number, data, queue_id):
        self.number = number
        self.data = data
        self.header = None
        self.header_defect = None
        self.start = None
        self.start_defect = None
        self.start_fields = None
        # Frames and holes, in the order of their offsets.
        self.items = []
        self._content_end = len(data.rstrip(b"\0"))
        try:
            self.header = segment_header(data[:HEADER_BLOCK], queue_id, number)
        except Defect as defect:
            self.header_defect = defect.reason
            return
        self.decoder = FrameDecoder(self.header)
        try:
            self.start = self.decoder.frame(data, HEADER_BLOCK)
            require(self.start.is_control and self.start.kind == START, "not a start frame")
            self.start_fields = start_body(self.start.payload)
        except Defect as defect:
            self.start, self.start_defect = None, defect.reason
        self._scan()

    @property
    def is_started(self):
        return self.start is not None

    @property
    def base(self):
        return self.start.sequence if self.start else None

    @property
    def frames(self):
        return [item for item in self.items if not isinstance(item, Hole)]

    @property
    def footer(self):
        return next((frame for frame in self.frames if frame.is_footer), None)

    def _scan(self):
        """Fills `items`: everything readable, and a hole wherever something due is not."""
        if self.start:
            offset, due = self.start.end, self.start.sequence
        else:
            offset, due = HEADER_BLOCK, None
            self.items.append(Hole(offset, due, self.start_defect))
            offset, due = self._resume(offset, due)
        while offset is not None:
            try:
                frame = self._due_frame(offset, due)
            except Defect as defect:
                self.items.append(Hole(offset, due, defect.reason))
                offset, due = self._resume(offset, due)
                continue
            self.items.append(frame)
            if frame.is_footer:
                return
            offset, due = frame.end, frame.next

    def _due_frame(self, offset, due):
        """The frame at `offset`, which is in sequence; any sequence where `due` is unknown."""
        frame = self._placed_frame(offset)
        require(due is None or frame.sequence == due, "sequence")
        return frame

    def _placed_frame(self, offset):
        """The frame at `offset` with a body that fits this segment and place."""
        frame = self.decoder.frame(self.data, offset)
        require(not (frame.is_control and frame.kind == START), "kind")
        if frame.is_footer:
            fields = footer_body(frame.payload)
            require(not self.start or fields.base == self.base, "base")
            require(fields.count == frame.sequence - fields.base, "count")
        return frame

    def _resume(self, hole, due):
        """Resynchronisation: where the next frame that counts is, and its sequence."""
        for offset in range(hole + 8, self._content_end, 8):
            # The low half of the flags is the cheapest thing that can be wrong.
            if not self.data[offset + 14:offset + 15] or not self.data[offset + 14] & 1:
                continue
            try:
                frame = self._placed_frame(offset)
            except Defect:
                continue
            room = (offset - hole) // self.decoder.header_bytes
            if due is not None and not due <= frame.sequence <= due + room:
                continue
            if self._is_followed(frame):
                self.items[-1].resumed = frame
                return offset, frame.sequence
        return None, None

    def _is_followed(self, frame):
        if frame.is_footer or self.is_empty_from(frame.end):
            return True
        try:
            self._due_frame(frame.end, frame.next)
        except Defect:
            return False
        return True

    def is_empty_from(self, offset):
        """Whether only zeros, or nothing, follow."""
        return offset >= self._content_end
