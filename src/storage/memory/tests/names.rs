//! What calls and power cuts do to names.

use super::*;

/// A directory with the folders `"x"` and `"y"` and the file `"x/f"`, all durable.
fn two_folders() -> MemoryDirectory {
    let directory = MemoryDirectory::new();
    directory.put_file("x/f", b"f");
    directory.create_folder("y").unwrap();
    directory.sync("").unwrap();
    directory
}

fn listed(directory: &MemoryDirectory, folder: &str) -> Vec<String> {
    let mut names = directory.list(folder).unwrap();
    names.sort();
    names
}

/// The names after a power cut, for every subset of what is not synced.
fn all_images(directory: &MemoryDirectory) -> Vec<Vec<String>> {
    let images = (0..1_u32 << directory.unsynced_count()).map(|kept| {
        let kept: Vec<usize> = (0..32).filter(|bit| kept & (1 << bit) != 0).collect();
        crash_keeping(directory, &kept).names()
    });
    let mut images: Vec<_> = images.collect();
    images.sort();
    images.dedup();
    images
}

#[test]
fn a_folder_lists_what_is_in_it_and_not_what_is_deeper() {
    let directory = two_folders();
    directory.put_file("x-more/f", b"");
    directory.put_file("x/deep/g", b"");
    directory.put_file("top", b"");
    assert_eq!(listed(&directory, ""), ["top", "x", "x-more", "y"]);
    assert_eq!(listed(&directory, "x"), ["deep", "f"]);
    assert_eq!(listed(&directory, "y"), [""; 0]);
    assert_eq!(directory.names(), ["top", "x-more/f", "x/deep/g", "x/f"]);
}

#[test]
fn what_is_missing_is_not_found_and_can_be_removed() {
    let directory = two_folders();
    let missing = [
        directory.open("x/none", Access::Read).unwrap_err(),
        directory.create("none/f").unwrap_err(),
        directory.create_folder("none/folder").unwrap_err(),
        directory.list("none").unwrap_err(),
        directory.rename("none", "x/g").unwrap_err(),
        directory.rename("x/f", "none/f").unwrap_err(),
        directory.lock("none/LOCK", "").unwrap_err(),
    ];
    for error in missing {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.is_missing(), "{error}");
    }
    directory.remove("none").unwrap();
    assert_eq!(directory.sync("none").unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(directory.unsynced_count(), 0);
}

#[test]
fn what_is_there_already_or_of_another_kind_is_an_error() {
    let directory = two_folders();
    let refused = [
        directory.create("x/f").unwrap_err(),
        directory.create("x").unwrap_err(),
        directory.create("").unwrap_err(),
        directory.create("x/f/g").unwrap_err(),
        directory.create_folder("x/f").unwrap_err(),
        directory.open("x", Access::Read).unwrap_err(),
        directory.list("x/f").unwrap_err(),
        directory.rename("x/f", "y").unwrap_err(),
        directory.rename("x", "z").unwrap_err(),
        directory.remove("x").unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
    directory.create_folder("x").unwrap();
    directory.create_folder("").unwrap();
    directory.rename("x/f", "x/f").unwrap();
    assert_eq!(directory.unsynced_count(), 0);
}

#[test]
fn a_name_is_durable_once_its_own_folder_is_synced() {
    let directory = two_folders();
    directory.create("x/new").unwrap();
    directory.sync("").unwrap();
    directory.sync("y").unwrap();
    assert_eq!(directory.crash_losing_all().names(), ["x/f"]);
    directory.sync("x").unwrap();
    assert_eq!(directory.crash_losing_all().names(), ["x/f", "x/new"]);
}

#[test]
fn a_folder_that_is_lost_takes_its_synced_files_with_it() {
    let directory = MemoryDirectory::new();
    directory.create_folder("folder").unwrap();
    directory.create_folder("folder/deep").unwrap();
    directory.create("folder/deep/f").unwrap().sync().unwrap();
    directory.sync("folder/deep").unwrap();
    directory.sync("folder").unwrap();
    assert_eq!(listed(&directory.crash_losing_all(), ""), [""; 0]);
    directory.sync("").unwrap();
    assert_eq!(directory.crash_losing_all().names(), ["folder/deep/f"]);
}

#[test]
fn a_removed_file_may_come_back_until_its_folder_is_synced() {
    let directory = two_folders();
    directory.remove("x/f").unwrap();
    assert_eq!(directory.file_bytes("x/f"), None);
    assert_eq!(bytes(&directory.crash_losing_all(), "x/f"), *b"f");
    assert_eq!(all_images(&directory), [vec![], vec!["x/f"]]);
    directory.sync("x").unwrap();
    assert_eq!(directory.crash_losing_all().names(), [""; 0]);
}

#[test]
fn a_file_that_was_created_and_removed_unsynced_may_come_back_with_its_bytes() {
    let directory = MemoryDirectory::new();
    let file = directory.create("f").unwrap();
    file.write_at(b"1", 0).unwrap();
    file.sync().unwrap();
    drop(file);
    directory.remove("f").unwrap();
    assert_eq!(bytes(&crash_keeping(&directory, &[0]), "f"), *b"1");
}

#[test]
fn a_removed_file_lives_on_while_it_is_open_and_is_gone_after_a_crash() {
    let directory = two_folders();
    let file = directory.open("x/f", Access::Write).unwrap();
    directory.remove("x/f").unwrap();
    directory.sync("x").unwrap();
    directory
        .create("x/f")
        .unwrap()
        .write_at(b"other", 0)
        .unwrap();
    file.write_at(b"ghost", 0).unwrap();
    file.sync().unwrap();
    let mut read = [0; 5];
    assert_eq!(file.read_at(&mut read, 0).unwrap(), 5);
    assert_eq!(read, *b"ghost");
    assert_eq!(bytes(&directory, "x/f"), *b"other");
    assert_eq!(bytes(&directory.crash_keeping_all(), "x/f"), *b"other");
}

#[test]
fn bytes_that_no_name_can_lead_to_are_no_choice() {
    let directory = two_folders();
    let file = directory.open("x/f", Access::Write).unwrap();
    file.write_at(b"ghost", 0).unwrap();
    directory.remove("x/f").unwrap();
    assert_eq!(directory.unsynced_count(), 3);
    directory.sync("x").unwrap();
    assert_eq!(directory.unsynced_count(), 0);
    file.write_at(b"ghosts", 0).unwrap();
    assert_eq!(directory.unsynced(), []);
}

#[test]
fn a_rename_in_a_folder_is_the_old_name_or_the_new_one() {
    let directory = two_folders();
    directory.put_file("x/g", b"replaced");
    directory.rename("x/f", "x/g").unwrap();
    assert_eq!(directory.names(), ["x/g"]);
    assert_eq!(directory.unsynced_count(), 1);
    let lost = directory.crash_losing_all();
    assert_eq!(
        (bytes(&lost, "x/f"), bytes(&lost, "x/g")),
        (b"f".to_vec(), b"replaced".to_vec())
    );
    let kept = directory.crash_keeping_all();
    assert_eq!(
        (kept.file_bytes("x/f"), bytes(&kept, "x/g")),
        (None, b"f".to_vec())
    );
}

#[test]
fn a_rename_keeps_the_bytes_unsynced_that_were_unsynced() {
    let directory = MemoryDirectory::new();
    let file = directory.create("f.tmp").unwrap();
    file.write_at(b"1", 0).unwrap();
    directory.rename("f.tmp", "f").unwrap();
    directory.sync("").unwrap();
    assert_eq!(bytes(&directory.crash_losing_all(), "f"), b"");
    assert_eq!(&*directory.unsynced()[0].name, "f");
    file.sync().unwrap();
    assert_eq!(bytes(&directory.crash_losing_all(), "f"), *b"1");
}

#[test]
fn a_rename_between_folders_is_the_old_name_the_new_one_or_both() {
    let directory = two_folders();
    directory.rename("x/f", "y/f").unwrap();
    let both = vec!["x/f", "y/f"];
    assert_eq!(
        all_images(&directory),
        [vec!["x/f"], both.clone(), vec!["y/f"]]
    );
    let entered = directory.copy();
    entered.sync("y").unwrap();
    assert_eq!(all_images(&entered), [both, vec!["y/f"]]);
    // A synced removal of the old name does not leave the file without one.
    directory.sync("x").unwrap();
    assert_eq!(all_images(&directory), [["y/f"]]);
}

#[test]
fn two_names_of_one_file_after_a_crash_are_removed_one_by_one() {
    let directory = two_folders();
    directory.rename("x/f", "y/f").unwrap();
    let image = crash_keeping(&directory, &[0]);
    image
        .open("x/f", Access::Write)
        .unwrap()
        .write_at(b"new", 0)
        .unwrap();
    image.remove("x/f").unwrap();
    image.sync("x").unwrap();
    assert_eq!(bytes(&image, "y/f"), *b"new");
}

#[test]
fn a_name_that_is_used_again_takes_the_earlier_change_of_it_along() {
    let directory = two_folders();
    directory.rename("x/f", "x/g").unwrap();
    directory.create("x/f").unwrap();
    // No image has the new file in the place of the old one while the old one is nowhere.
    assert_eq!(
        all_images(&directory),
        [vec!["x/f"], vec!["x/f", "x/g"], vec!["x/g"]]
    );
    assert_eq!(bytes(&crash_keeping(&directory, &[1]), "x/g"), *b"f");
}

#[test]
fn changes_of_different_names_survive_in_any_order() {
    let directory = MemoryDirectory::new();
    directory.create("1").unwrap();
    directory.create("2").unwrap();
    assert_eq!(
        all_images(&directory),
        [vec![], vec!["1"], vec!["1", "2"], vec!["2"]]
    );
}
