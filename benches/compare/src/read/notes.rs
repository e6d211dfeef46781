//! What an acknowledgement is worth, and what it costs: peers differ in that more than in reading.

/// What an acknowledgement survives, in the words of the table.
pub fn survives(acknowledges: &str) -> &str {
    match acknowledges {
        "kernel" => "`kill -9` at once",
        "medium" => "power loss at once",
        "memory (saved every 250 records)" => "`kill -9` later: saved every 250 reads",
        other => other,
    }
}

/// What a peer does for an acknowledgement.
pub fn cost(peer: &str) -> Option<&'static str> {
    Some(match peer {
        "forebay" | "forebay-crc32c" => "one `pwrite` of 140 bytes, in place",
        "raw" => "one `pwrite` of 64 bytes, in place",
        "sqlite-normal" => "a transaction: a page and more to the WAL, checkpoints with syncs",
        "sqlite-full" => "the same and a sync",
        "yaque" => "nothing; a file is written every 250 reads",
        "queue-file" => "one `write` of 56 bytes, in place; a `pread` of what is next",
        "raft-engine" => "one `pwrite` of 26 bytes, appended; its index cut",
        "fjall" => "a tombstone a record: 55 bytes appended, and kept in memory",
        "redb" => "a transaction with a sync",
        "walrus" => "its index written anew and synced",
        _ => return None,
    })
}
