"""The hash chain along the log: which hash follows, which is taken as given, which is wrong."""

from structures import CHAINED, ZERO_CHAIN, chain_epoch, chain_gap, chain_record


class Chain:
    """Follows the chain; `verdicts` says for each (segment, offset) how its hash was judged."""

    def __init__(self, integrity):
        self.is_kept = integrity == CHAINED
        self.value = None if self.is_kept else ZERO_CHAIN
        self.epoch = None
        # Whether a gap frame came last: the next record or start frame tells its hash.
        self.is_behind_gap = False
        self.verdicts = {}

    def lose(self):
        """Something was not readable: the next hash is taken as given."""
        if self.is_kept:
            self.value = None

    def start(self, segment, due):
        """Enters `segment`, whose base may lie beyond the sequence that was due."""
        if not self.is_kept:
            return
        fields = segment.start_fields
        expected = self.value if fields.previous else ZERO_CHAIN
        if expected is not None and due is not None and segment.base > due:
            expected = chain_gap(expected, due, segment.base)
        stepped = chain_epoch(
            fields.previous_chain, segment.header.epoch, segment.header.salt, segment.base
        )
        if not fields.previous:
            allowed = [stepped]
        elif self.epoch is None:
            allowed = [stepped, fields.previous_chain]
        else:
            allowed = [fields.previous_chain if self.epoch == segment.header.epoch else stepped]
        verdict = "ok"
        if expected is None:
            verdict = "given"
        elif expected != fields.previous_chain:
            verdict = "bad"
        if segment.start.chain not in allowed:
            verdict = "bad"
        self.verdicts[segment.number, segment.start.offset] = verdict
        self.value, self.epoch = segment.start.chain, segment.header.epoch
        self.is_behind_gap = False

    def frame(self, segment, frame):
        if not self.is_kept:
            return
        if frame.is_control and self.is_behind_gap and not frame.is_gap:
            self.verdicts[segment.number, frame.offset] = "given"
            return
        expected = self.value
        if expected is not None and frame.is_gap:
            expected = chain_gap(expected, frame.sequence, frame.next)
        elif expected is not None and not frame.is_control:
            expected = chain_record(expected, frame)
        verdict = "given" if expected is None else "ok" if expected == frame.chain else "bad"
        self.verdicts[segment.number, frame.offset] = verdict
        self.is_behind_gap = frame.is_gap
        self.value = None if frame.is_gap else frame.chain
