//! smoke
use forebay::*;
#[test]
fn basic() {
    let f = tempfile::tempdir().unwrap();
    let p = f.path().join("q");
    let q = Queue::options()
        .segment_bytes(8192)
        .sync_policy(SyncPolicy::Manual)
        .open(&p)
        .unwrap();
    for i in 0..500u32 {
        q.enqueue(format!("record {i}")).unwrap();
    }
    println!("{:?}", q.stats().unwrap());
    let mut c = q.consumer("a").unwrap();
    let mut n = 0u32;
    c.drain(|r| {
        assert_eq!(r.payload, format!("record {n}").as_bytes());
        n += 1;
        if n == 250 {
            return Err(());
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(n, 250);
    drop(c);
    q.close().unwrap();
    let q = Queue::options().segment_bytes(8192).open(&p).unwrap();
    println!("{:?}", q.recovery());
    assert!(q.recovery().clean);
    let mut c = q.consumer("a").unwrap();
    assert_eq!(c.len().unwrap(), 251);
    let mut n = 249u32;
    c.drain(|r| {
        assert_eq!(r.payload, format!("record {n}").as_bytes());
        n += 1;
        Ok::<(), ()>(())
    })
    .unwrap();
    for i in 500..600u32 {
        q.enqueue(format!("record {i}")).unwrap();
    }
    c.drain(|r| {
        assert_eq!(r.payload, format!("record {n}").as_bytes());
        n += 1;
        Ok::<(), ()>(())
    })
    .unwrap();
    assert_eq!(n, 600);
    println!("{:?}", q.stats().unwrap());
    q.reclaim().unwrap();
    println!("{:?}", q.stats().unwrap());
    for e in std::fs::read_dir(p.join("segments")).unwrap() {
        println!("{:?}", e.unwrap().file_name());
    }
}
#[test]
fn crash() {
    use std::sync::Arc;
    let m = forebay::storage::memory::MemoryDirectory::new();
    let q = Queue::options()
        .segment_bytes(8192)
        .open_on(Arc::new(m.clone()))
        .unwrap();
    for i in 0..300u32 {
        q.enqueue(format!("record {i}")).unwrap();
    }
    for image in [
        m.crash_losing_all(),
        m.crash_keeping_all(),
        m.process_kill(),
    ] {
        for _ in 0..3 {
            let q = Queue::options()
                .segment_bytes(8192)
                .open_on(Arc::new(image.clone()))
                .unwrap();
            println!("{:?}", q.recovery());
            let mut c = q.consumer("a").unwrap();
            let mut n = 0;
            c.drain(|r| {
                assert_eq!(r.sequence.get(), n);
                n += 1;
                if n == 1 { Ok::<(), ()>(()) } else { Ok(()) }
            })
            .unwrap();
            c.seek(Sequence::ZERO).unwrap();
            drop(c);
            let image = image.clone();
            std::mem::forget(q);
            break;
        }
    }
}
