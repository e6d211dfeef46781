"""Lists a queue's folder from docs/FORMAT.md alone: `python3 read_queue.py DIR`.

Exit code 0: every byte that counts is in order (a torn tail is in order). 1: a defect was
found. 2: called wrongly, or there is no queue.
"""

import sys

from listing import list_queue
from log import Log
from queue_files import QueueFiles
from structures import Defect


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    try:
        files = QueueFiles(arguments[0])
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    except Defect as defect:
        print(f"finding file=QUEUE offset=0 reason={defect.reason.replace(' ', '-')}")
        return 1
    listing = list_queue(files, Log(files))
    print("\n".join(listing.lines))
    return 1 if listing.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
