"""The walk along the log: its records, its end, and what is torn or corrupt."""

from dataclasses import dataclass

from chain import Chain
from membership import Membership
from segment import Hole
from structures import HEADER_BLOCK


@dataclass
class Corruption:
    """The records `[start, end)` are not readable, first seen at `offset` of a segment."""

    segment: int
    offset: int
    start: int
    end: int
    reason: str


@dataclass
class End:
    """Where the log ends, and why."""

    segment: int
    offset: int
    next: int
    reason: str


class Log(Membership):
    """The log of a queue, walked from its first segment to its end."""

    def __init__(self, files):
        super().__init__(files)
        self.chain = Chain(files.identity.integrity)
        self.corruptions = []
        self.records = []
        # The frames that stand for records which are gone.
        self.gaps = []
        self.end = None
        # The sequence due, and where the frame would be that carries it.
        self._due = self.state.first_base if self.state else None
        self._place = (0, 0)
        if self.is_emptied:
            self._place = (self.state.end_segment, self.state.end_offset)
        # A defect until it is known what is readable after it: segment, offset, X, reason.
        self._pending = None
        # Records of a batch whose end was not seen yet.
        self._batch = []
        self._walk()
        # What comes after the end is not of the log, whatever it names.
        self.numbers = [number for number in self.numbers if number <= self.end.segment]

    def holds(self, frame):
        """Whether `frame` is a record of the log."""
        return any(frame is held for _, held in self.records)

    def _walk(self):
        for number in self.numbers:
            segment = self.files.segments.get(number)
            if number in self.started:
                if not self._enter(segment):
                    return
            else:
                self._defect(number, *self._unstarted_defect(segment))
            items = segment.items if segment else []
            if not self._walk_items(number, items, self.stop(number)):
                return
        self._finish()

    def _unstarted_defect(self, segment):
        """Where and why a segment is not started."""
        if segment is None:
            return 0, "missing"
        if segment.header_defect:
            return 0, segment.header_defect
        return HEADER_BLOCK, segment.start_defect

    def _enter(self, segment):
        """Takes the start frame of `segment`; whether the log goes on there."""
        if self._batch:
            self._defect(*self._place, "batch")
        if self._due is not None and segment.base != self._due:
            self._defect(*self._place, "sequence")
        due = self._pending[2] if self._pending else self._due
        if not self._reach(segment.base):
            return False
        self.chain.start(segment, due)
        self._due = segment.base
        self._place = (segment.number, segment.start.end)
        return True

    def _walk_items(self, number, items, stop):
        """Takes what a segment holds; whether the log goes on after it."""
        for item in items:
            if stop is not None and item.offset >= stop:
                break
            if isinstance(item, Hole):
                self._defect(number, item.offset, item.reason)
                continue
            if stop is not None and item.end > stop:
                self._defect(number, item.offset, "passes the end")
                break
            if not self._reach(item.sequence):
                return False
            self._take(number, item)
        return True

    def _take(self, number, frame):
        self.chain.frame(self.files.segments[number], frame)
        self._due = frame.sequence
        if frame.is_footer:
            return
        self._place = (number, frame.end)
        if frame.is_gap:
            # Known and accepted: what was read before it stays.
            self.gaps.append(frame)
            self.records += self._batch
            self._batch = []
            self._due = frame.next
        if frame.is_control:
            return
        self._due += 1
        self._batch.append((number, frame))
        if not frame.more_follows:
            self.records += self._batch
            self._batch = []

    def _defect(self, segment, offset, reason):
        """Notes a defect at the sequence due, or at the start of the batch that it breaks."""
        if self._pending:
            return
        due = self._due or 0
        if self._batch and due < self._durable_end():
            # All of it was durable, so what is readable of it is read.
            self.records += self._batch
            self._batch = []
        if self._batch:
            segment, first = self._batch[0]
            offset, due, reason = first.offset, first.sequence, f"batch: {reason}"
            self._batch = []
            self._place = (segment, offset)
        self._pending = (segment, offset, due, reason)

    def _durable_end(self):
        """Every lower sequence was durable: W*, or the end that a clean close states."""
        return max(self.durable, self.state.next) if self.is_clean else self.durable

    def _reach(self, sequence):
        """Something readable follows at `sequence`; whether the log goes on there."""
        if not self._pending:
            return True
        segment, offset, due, reason = self._pending
        durable = self._durable_end()
        if due >= durable or sequence is None or sequence > durable:
            return self._stop_at(durable)
        self._pending = None
        self.corruptions.append(Corruption(segment, offset, due, sequence, reason))
        if due < sequence:
            self.chain.lose()
        return True

    def _stop_at(self, durable):
        """The log ends at the pending defect, or at W* where that lies beyond it."""
        segment, offset, due, reason = self._pending
        if due < durable:
            self.corruptions.append(Corruption(segment, offset, due, durable, reason))
        self.end = End(*self._place, max(due, durable), reason)
        return False

    def _finish(self):
        """Every segment was walked."""
        if self.is_clean:
            if self._batch or self._due != self.state.next and self.numbers:
                self._defect(*self._place, "ends early")
            if self._pending:
                self._reach(self.state.next)
            state = self.state
            self.end = End(state.end_segment, state.end_offset, state.next, "clean")
            return
        self._defect(*self._place, "nothing follows")
        self._reach(None)
