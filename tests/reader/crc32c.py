"""CRC-32C (Castagnoli), from RFC 3720: reflected polynomial 0x82F63B78."""


def _table():
    entries = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        entries.append(value)
    return entries


_TABLE = _table()


def crc32c(data, before=0):
    """The checksum of `data`, or of what had the checksum `before` with `data` behind it."""
    table = _TABLE
    value = before ^ 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF
