"""Published vectors for the checksum and the hash, and the example of docs/FORMAT.md."""

import unittest

from blake3 import blake3
from crc32c import crc32c
from structures import (
    ZERO_CHAIN, Frame, FrameDecoder, SegmentHeader, chain_epoch, chain_gap, chain_record,
)


class Vectors(unittest.TestCase):
    def test_crc32c_as_in_rfc_3720(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(crc32c(b"\xff" * 32), 0x62A8AB43)
        self.assertEqual(crc32c(bytes(range(32))), 0x46DD794E)
        self.assertEqual(crc32c(bytes(reversed(range(32)))), 0x113FDB5C)

    def test_crc32c_in_two_parts(self):
        self.assertEqual(crc32c(b"6789", crc32c(b"12345")), 0xE3069283)

    def test_blake3_as_its_authors_publish(self):
        # Length of the input 0, 1, 2, ... 250, 0, 1, ...: first half of hash and of keyed hash.
        for length, plain, keyed in (
            (0, "af1349b9f5f9a1a6a0404dea36dcc949", "92b2b75604ed3c761f9d6f62392c8a92"),
            (1, "2d3adedff11b61f14c886e35afa03673", "6d7878dfff2f485635d39013278ae14f"),
            (1023, "10108970eeda3eb932baac1428c7a216", "c951ecdf03288d0fcc96ee3413563d8a"),
            (1024, "42214739f095a406f3fc83deb889744a", "75c46f6f3d9eb4f55ecaaee480db732e"),
            (1025, "d00278ae47eb27b34faecf67b4fe263f", "357dc55de0c7e382c900fd6e320acc04"),
            (2048, "e776b6028c7cd22a4d0ba182a8bf6220", "879cf1fa2ea0e79126cb1063617a05b6"),
            (2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3", "9f29700902f7c86e514ddc4df1e3049f"),
            (5121, "628bd2cb2004694adaab7bbd778a25df", "6ccf1c34753e7a044db80798ecd0782a"),
            (7169, "a003fc7a51754a9b3c7fae0367ab3d78", "ed9b1a922c046fdb3d423ae34e143b05"),
        ):
            data = bytes(place % 251 for place in range(length))
            self.assertEqual(blake3(data)[:16].hex(), plain)
            self.assertEqual(blake3(data, b"whats the Elvish word for friend")[:16].hex(), keyed)

    def test_masks_of_the_document(self):
        header = SegmentHeader(bytes(range(0x10, 0x20)), 1, 0, 0x4142434445464748, 1)
        decoder = FrameDecoder(header)
        self.assertEqual(decoder.mask(0x1000), 0xD6C61773)
        self.assertEqual(decoder.mask(0x10008), 0xA5A814D2)
        self.assertEqual(crc32c(b"hello") ^ decoder.mask(0x10008), 0x3FD9AF9E)

    def test_chain_of_the_document(self):
        chain = chain_epoch(ZERO_CHAIN, 0x1C0FFEE42, 0x0123456789ABCDEF, 0)
        self.assertEqual(chain.hex()[:16], "f9b18b8ac05dfe40")
        empty = Frame(0, 0, 0, 0, 1, 0, 1700000000000000000, 0, b"", b"")
        chain = chain_record(chain, empty)
        self.assertEqual(chain.hex()[:16], "ab165373353a7e8a")
        hello = Frame(0, 0, 5, 7, 1, 1, 1700000000000001000, 0, b"", b"hello")
        chain = chain_record(chain, hello)
        self.assertEqual(chain.hex()[:16], "adc43bb05756e072")
        self.assertEqual(chain_gap(chain, 2, 5).hex()[:16], "94682fb7739dbfba")

    def test_consumer_id_of_the_document(self):
        self.assertEqual(blake3(b"ship")[:16].hex(), "64e5c6d18adbd1b3880fb7c70b0b403d")


if __name__ == "__main__":
    unittest.main()
