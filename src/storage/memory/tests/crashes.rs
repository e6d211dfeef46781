//! What a power cut does to the bytes of a file.

use super::*;
use crate::storage::memory::content::SECTOR;

fn page_change(page: u64, sectors: u8) -> UnsyncedChange {
    UnsyncedChange::Page { page, sectors }
}

fn changes(directory: &MemoryDirectory) -> Vec<UnsyncedChange> {
    directory
        .unsynced()
        .into_iter()
        .map(|unit| unit.change)
        .collect()
}

#[test]
fn a_write_is_lost_until_it_is_synced() {
    let (directory, file) = old_file();
    file.write_at(b"new", 0).unwrap();
    assert_eq!(bytes(&directory.crash_losing_all(), "f"), [b'o'; 2 * PAGE]);
    assert_eq!(bytes(&directory.crash_keeping_all(), "f")[..4], *b"newo");
    file.sync().unwrap();
    assert_eq!(bytes(&directory.crash_losing_all(), "f")[..4], *b"newo");
    assert_eq!(directory.unsynced_count(), 0);
}

#[test]
fn a_synced_file_with_an_unsynced_name_is_lost_with_its_name() {
    let directory = MemoryDirectory::new();
    let file = directory.create("f").unwrap();
    file.write_at(b"bytes", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(directory.crash_losing_all().names(), [""; 0]);
    assert_eq!(bytes(&directory.crash_keeping_all(), "f"), *b"bytes");
}

#[test]
fn an_unsynced_file_with_a_synced_name_is_empty() {
    let directory = MemoryDirectory::new();
    let file = directory.create("f").unwrap();
    file.write_at(b"bytes", 0).unwrap();
    directory.sync("").unwrap();
    assert_eq!(bytes(&directory.crash_losing_all(), "f"), b"");
}

#[test]
fn a_write_is_one_choice_for_each_page_and_one_for_the_length() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; 2 * PAGE], PAGE as u64 + 512).unwrap();
    let lengths = UnsyncedChange::Length {
        from: 2 * PAGE as u64,
        to: 3 * PAGE as u64 + 512,
    };
    let expected = [
        page_change(1, 0b1111_1110),
        page_change(2, 0b1111_1111),
        page_change(3, 1),
        lengths,
    ];
    assert_eq!(changes(&directory), expected);
    assert_eq!(directory.unsynced_count(), 4);
    let image = bytes(&crash_keeping(&directory, &[1, 3]), "f");
    assert_eq!(image.len(), 3 * PAGE + 512);
    assert!(image[..2 * PAGE].iter().all(|byte| *byte == b'o'));
    assert!(image[2 * PAGE..3 * PAGE].iter().all(|byte| *byte == b'n'));
    assert!(image[3 * PAGE..].iter().all(|byte| *byte == 0));
}

#[test]
fn choices_are_asked_for_in_the_order_of_happening_across_files_and_folders() {
    let directory = MemoryDirectory::new();
    let a = directory.create("a").unwrap();
    let b = directory.create("b").unwrap();
    b.write_at(b"1", 0).unwrap();
    a.set_length(9).unwrap();
    directory.remove("b").unwrap();
    let mut asked = Vec::new();
    let image = directory.crash(&mut |unit| {
        asked.push(unit.clone());
        Fate::Kept
    });
    assert_eq!(asked, directory.unsynced());
    let order: Vec<_> = asked
        .iter()
        .map(|unit| (&*unit.name, &unit.change))
        .collect();
    let expected = [
        ("a", &UnsyncedChange::Created),
        ("b", &UnsyncedChange::Created),
        ("b", &page_change(0, 1)),
        ("b", &UnsyncedChange::Length { from: 0, to: 1 }),
        ("a", &UnsyncedChange::Length { from: 0, to: 9 }),
        ("b", &UnsyncedChange::Removed),
    ];
    assert_eq!(order, expected);
    assert_eq!(image.unsynced_count(), 0);
}

#[test]
fn data_beyond_the_surviving_length_is_cut() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; 10], 2 * PAGE as u64 - 5).unwrap();
    let image = crash_keeping(&directory, &[0, 1]);
    assert_eq!(bytes(&image, "f").len(), 2 * PAGE);
    assert_eq!(bytes(&image, "f")[2 * PAGE - 5..], *b"nnnnn");
    // What was cut does not come back when the file grows again.
    image
        .open("f", Access::Write)
        .unwrap()
        .set_length(2 * PAGE as u64 + 5)
        .unwrap();
    assert_eq!(bytes(&image, "f")[2 * PAGE..], [0; 5]);
}

#[test]
fn a_length_that_survives_without_its_data_reads_as_zeros() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; 10], 2 * PAGE as u64).unwrap();
    let image = bytes(&crash_keeping(&directory, &[1]), "f");
    assert_eq!(image[2 * PAGE..], [0; 10]);
}

#[test]
fn a_torn_page_keeps_the_sectors_of_the_mask_and_the_old_bytes_of_the_others() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; PAGE], 0).unwrap();
    for sectors in [0, 0b1000_0001, 0b0101_0101, 0xff] {
        let image = bytes(&directory.crash(&mut |_| Fate::Torn { sectors }), "f");
        for sector in 0..8 {
            let expected = if sectors & (1 << sector) == 0 {
                b'o'
            } else {
                b'n'
            };
            assert_eq!(
                image[sector * 512..][..512],
                [expected; 512],
                "{sectors:08b}"
            );
        }
    }
}

#[test]
fn a_torn_page_of_a_small_write_changes_no_sector_that_was_not_written() {
    let (directory, file) = old_file();
    file.write_at(b"nn", 1023).unwrap();
    assert_eq!(changes(&directory), [page_change(0, 0b0110)]);
    let image = bytes(
        &directory.crash(&mut |_| Fate::Torn {
            sectors: 0b1111_1011,
        }),
        "f",
    );
    assert_eq!(image[1022..1026], *b"onoo");
}

#[test]
fn anything_but_a_page_is_kept_whole_when_torn() {
    let directory = MemoryDirectory::new();
    directory.create("f").unwrap().set_length(7).unwrap();
    let image = directory.crash(&mut |_| Fate::Torn { sectors: 0 });
    assert_eq!(bytes(&image, "f"), [0; 7]);
}

#[test]
fn a_sector_is_a_state_it_went_through_and_never_a_mixture() {
    let (directory, file) = old_file();
    file.write_at(b"1", 0).unwrap();
    file.write_at(b"2", 1).unwrap();
    let start = |kept: &[usize]| bytes(&crash_keeping(&directory, kept), "f")[..3].to_vec();
    assert_eq!(start(&[]), b"ooo");
    assert_eq!(start(&[0]), b"1oo");
    assert_eq!(start(&[0, 1]), b"12o");
    // The second write found the first in the cache: no sector has one without the other.
    assert_eq!(start(&[1]), b"12o");
}

#[test]
fn sectors_of_one_page_written_apart_survive_in_any_order() {
    let (directory, file) = old_file();
    file.write_at(b"1", 0).unwrap();
    file.write_at(b"2", 512).unwrap();
    let image = bytes(&crash_keeping(&directory, &[1]), "f");
    assert_eq!((image[0], image[512]), (b'o', b'2'));
}

#[test]
fn bytes_that_were_synced_survive_in_a_sector_that_is_written_again() {
    let directory = MemoryDirectory::new();
    directory.put_file("f", b"durable");
    let file = directory.open("f", Access::Write).unwrap();
    file.write_at(b" more", 7).unwrap();
    for sectors in 0..=255 {
        let image = directory.crash(&mut |_| Fate::Torn { sectors });
        assert_eq!(bytes(&image, "f")[..7], *b"durable");
    }
}

#[test]
fn a_cut_that_is_lost_brings_the_bytes_back() {
    let (directory, file) = old_file();
    file.set_length(10).unwrap();
    assert_eq!(bytes(&directory.crash_losing_all(), "f"), [b'o'; 2 * PAGE]);
    assert_eq!(bytes(&directory.crash_keeping_all(), "f"), [b'o'; 10]);
}

#[test]
fn a_length_that_survives_takes_an_earlier_cut_with_it() {
    let (directory, file) = old_file();
    file.set_length(10).unwrap();
    file.set_length(20).unwrap();
    let image = crash_keeping(&directory, &[1]);
    assert_eq!(bytes(&image, "f"), [[b'o'; 10], [0; 10]].concat());
}

#[test]
fn an_allocation_survives_as_zeros_or_not_at_all() {
    let directory = MemoryDirectory::new();
    directory.put_file("f", b"old");
    directory
        .open("f", Access::Write)
        .unwrap()
        .allocate(PAGE as u64)
        .unwrap();
    assert_eq!(
        changes(&directory),
        [UnsyncedChange::Length {
            from: 3,
            to: PAGE as u64
        }]
    );
    assert_eq!(bytes(&directory.crash_losing_all(), "f"), *b"old");
    let kept = directory.crash_keeping_all();
    assert_eq!(bytes(&kept, "f").len(), PAGE);
    assert_eq!(kept.used_bytes(), PAGE as u64);
}

#[test]
fn an_image_and_its_directory_do_not_see_each_others_writes() {
    let (directory, file) = old_file();
    let image = directory.crash_losing_all();
    file.write_at(b"1", 0).unwrap();
    let twin = image.open("f", Access::Write).unwrap();
    twin.write_at(b"2", 0).unwrap();
    twin.sync().unwrap();
    assert_eq!(bytes(&directory, "f")[0], b'1');
    assert_eq!(bytes(&directory.crash_losing_all(), "f")[0], b'o');
    assert_eq!(bytes(&image.crash_losing_all(), "f")[0], b'2');
}

#[test]
fn the_same_choices_give_the_same_image() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; 5000], 100).unwrap();
    let image = || {
        bytes(
            &directory.crash(&mut |_| Fate::Torn {
                sectors: 0b0011_0101,
            }),
            "f",
        )
    };
    assert_eq!(image(), image());
}

#[test]
fn a_failed_sync_leaves_bytes_readable_that_a_later_sync_does_not_save() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; PAGE], PAGE as u64 * 3 / 2).unwrap();
    directory.fail_next_sync_and_mark_clean("f");
    assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::Io);
    file.sync().unwrap();
    assert_eq!(bytes(&directory, "f").len(), PAGE * 5 / 2);
    assert_eq!(bytes(&directory.crash_keeping_all(), "f"), [b'o'; 2 * PAGE]);
    assert_eq!(
        bytes(&directory.process_kill().crash_keeping_all(), "f"),
        [b'o'; 2 * PAGE]
    );
}

#[test]
fn rewriting_what_a_failed_sync_forgot_makes_it_durable_with_its_length() {
    let (directory, file) = old_file();
    file.write_at(&[b'n'; PAGE], 2 * PAGE as u64).unwrap();
    file.write_at(b"end", 3 * PAGE as u64).unwrap();
    directory.fail_next_sync_and_mark_clean("f");
    file.sync().unwrap_err();
    file.write_at(b"n", 2 * PAGE as u64).unwrap();
    file.sync().unwrap();
    let image = bytes(&directory.crash_losing_all(), "f");
    assert_eq!(image[2 * PAGE..], [b'n'; PAGE]);
    file.write_at(b"end", 3 * PAGE as u64).unwrap();
    file.sync().unwrap();
    assert_eq!(
        bytes(&directory.crash_losing_all(), "f")[3 * PAGE..],
        *b"end"
    );
}

/// Writes `'n'` over both sectors of a file whose first sector alone holds anything, and cuts the
/// power with that fate.
fn scramble(zeroed: u8, noisy: u8, harsh: bool) -> Vec<u8> {
    let directory = MemoryDirectory::new();
    let mut old = [0; 3 * SECTOR];
    old[..SECTOR].fill(b'o');
    directory.put_file("f", &old);
    let file = directory.open("f", Access::Write).unwrap();
    file.write_at(&[b'n'; 2 * SECTOR], 0).unwrap();
    let kept = 0;
    let fate = Fate::Scrambled {
        kept,
        zeroed,
        noisy,
        harsh,
    };
    bytes(&directory.crash(&mut |_| fate), "f")
}

#[test]
fn a_scrambled_write_spares_synced_bytes_and_sectors_it_did_not_write() {
    let noisy = scramble(0, 0xff, false);
    assert_eq!(noisy[..SECTOR], [b'o'; SECTOR]);
    assert_ne!(noisy[SECTOR..2 * SECTOR], [0; SECTOR]);
    assert_ne!(noisy[SECTOR..2 * SECTOR], [b'n'; SECTOR]);
    assert_eq!(noisy[2 * SECTOR..], [0; SECTOR]);
    assert_eq!(scramble(0xff, 0, false)[SECTOR..], [0; 2 * SECTOR]);
}

#[test]
fn a_harshly_scrambled_write_spares_nothing_of_its_page() {
    let noisy = scramble(0, 0xff, true);
    assert_ne!(noisy[..SECTOR], [b'o'; SECTOR]);
    assert_ne!(noisy[2 * SECTOR..], [0; SECTOR]);
    assert_eq!(scramble(0xff, 0, true), [0; 3 * SECTOR]);
}

#[test]
fn a_write_that_changes_nothing_is_never_scrambled() {
    let (directory, file) = old_file();
    file.write_at(&[b'o'; SECTOR], 0).unwrap();
    let fate = Fate::Scrambled {
        kept: 0,
        zeroed: 0,
        noisy: 0xff,
        harsh: true,
    };
    let image = directory.crash(&mut |_| fate);
    assert_eq!(bytes(&image, "f"), [b'o'; 2 * PAGE]);
}

#[test]
fn trees_have_one_fingerprint_when_they_read_the_same() {
    let (directory, file) = old_file();
    let print = |directory: &MemoryDirectory| directory.fingerprint(|name| name == "hidden");
    let before = print(&directory);
    assert_eq!(print(&directory.copy()), before);
    directory.put_file("hidden", b"x");
    assert_eq!(print(&directory), before);
    for at in [0, 7, 8, 511, 4095, 4096, 8191] {
        file.write_at(b"n", at).unwrap();
        assert_ne!(print(&directory), before, "{at}");
        file.write_at(b"o", at).unwrap();
        assert_eq!(print(&directory), before);
    }
    directory.rename("f", "g").unwrap();
    assert_ne!(print(&directory), before);
}
