"""Lists queues from docs/FORMAT.md alone: `python3 read_queue.py DIR...`.

Exit code 0: every byte that counts is in order (a torn tail is in order). 1: a defect was
found. 2: called wrongly, or there is no queue. Of several folders each listing begins with a
line `folder path=DIR`, and the code is the highest of all.
"""

import sys

from listing import list_queue
from log import Log
from queue_files import QueueFiles
from structures import Defect


def main(arguments):
    if not arguments or any(argument.startswith("-") for argument in arguments):
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    worst = 0
    for folder in arguments:
        if len(arguments) > 1:
            print(f"folder path={folder}")
        worst = max(worst, read(folder))
    return worst


def read(folder):
    try:
        files = QueueFiles(folder)
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
