"""Which segments are the log, in which order, and what is proven durable."""

from structures import STATE_CLEAN, STATE_CONTINUES, STATE_DAMAGED


class Membership:
    """The numbers of the log's segments, where the log leaves each, and W*."""

    def __init__(self, files):
        self.files = files
        self.state = files.state.effective
        self.first = max(1, self.state.first_segment) if self.state else 1
        # Of an emptied log nothing is left, its end neither.
        self.is_emptied = bool(self.state) and 0 < self.state.end_segment < self.first
        self.started = {
            number: segment for number, segment in files.segments.items()
            if segment.is_started and number >= self.first
        }
        self.is_clean = self._is_clean()
        self.numbers = self._numbers()
        self.durable = self._durable()

    def _is_clean(self):
        if not self.state or not self.state.flags & STATE_CLEAN:
            return False
        if not self.state.flags & STATE_CONTINUES and any(
            segment.header and not segment.header_defect
            and number > self.state.end_segment and segment.header.epoch >= self.state.epoch
            for number, segment in self.files.segments.items()
        ):
            return False
        if not self.state.end_segment or self.is_emptied:
            return True
        segment = self.files.segments.get(self.state.end_segment)
        if not segment:
            return False
        if self.state.flags & STATE_DAMAGED:
            return True
        if not segment.is_started:
            return False
        if self.state.flags & STATE_CONTINUES:
            return not any(segment.data[self.state.end_offset:self.state.end_offset + 64])
        return True

    def _successor(self, number):
        """The segment that follows `number`; none where none says so."""
        naming = [
            segment for segment in self.started.values()
            if segment.start_fields.previous == number and segment.number > number
        ]
        newest = max(naming, key=lambda one: (one.header.epoch, one.number), default=None)
        return newest.number if newest else None

    def _next_numbers(self, number):
        """The successor of `number`, or an unreadable segment and the one that names it."""
        following = self._successor(number)
        if following:
            return [following]
        for after in sorted(self.started):
            previous = self.started[after].start_fields.previous
            if number < previous < after and previous not in self.started:
                return [previous, after]
        return []

    def _numbers(self):
        """In order; a missing segment is named all the same."""
        last = self.state.end_segment if self.state else 0
        if not last:
            last = 0 if self.is_clean else min(self.started, default=0)
        numbers = [last] if last else []
        while numbers and not self.is_clean and (following := self._next_numbers(numbers[-1])):
            numbers += following
        if self.is_emptied:
            return numbers[1:]
        while numbers and numbers[0] > self.first:
            segment = self.started.get(numbers[0])
            if segment is None:
                before = self._reachable_before(numbers[0])
                # Behind an unreadable segment that nothing names, there is no log to be seen.
                return before + numbers if len(numbers) > 1 or not before else before
            if not segment.start_fields.previous:
                break
            numbers.insert(0, segment.start_fields.previous)
        return numbers

    def _reachable_before(self, missing):
        """What the log holds before `missing`, which does not say what precedes it."""
        numbers = [self.first]
        while (following := self._successor(numbers[-1])) and following < missing:
            numbers.append(following)
        return [number for number in numbers if number < missing]

    def _durable(self):
        """W*: the largest watermark of any statement found."""
        found = [0]
        for segment in self.files.segments.values():
            found += [frame.watermark for frame in segment.frames]
            if segment.start:
                found.append(segment.start.watermark)
        for slots in (self.files.state, *self.files.cursors.values()):
            found += [slot.watermark for slot in slots.slots if slot]
        return max(found)

    def following(self, number):
        """The segment of the log that names `number` as the one before it."""
        for after in self.numbers:
            segment = self.started.get(after)
            if segment and segment.start_fields.previous == number:
                return segment
        return None

    def stop(self, number):
        """Where the log leaves segment `number`; none where only its bytes say."""
        following = self.following(number)
        if following:
            return following.start_fields.previous_end
        if self.is_clean and number == self.state.end_segment:
            return self.state.end_offset
        return None
