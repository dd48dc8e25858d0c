//! What becomes of a node's mountpaths when some of them are not as they were.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{LIST, MountpathSet, MountpathSetError, NodeList};
use mountpath::{error::MountpathError, layout::random_uuid};
use proto::auth::sigv4::hex;
use std::{
    fs,
    path::{Path, PathBuf},
};

const MARKER: &str = "corelane.format";

/// Directories that are removed when a test ends; not made by this.
struct Roots {
    base: PathBuf,
    roots: Vec<PathBuf>,
}

impl Roots {
    fn new(count: usize) -> Self {
        let base = std::env::temp_dir().join(format!("corelane-node-test-{}", hex(&random_uuid().unwrap())));
        let roots = (0..count).map(|index| base.join(format!("disk-{index}"))).collect();
        Self { base, roots }
    }

    fn open(&self) -> Result<MountpathSet, MountpathSetError> {
        MountpathSet::open(&self.roots, 2)
    }

    fn away(&self, index: usize) -> PathBuf {
        self.base.join(format!("away-{index}"))
    }

    /// As after an unmount: an empty directory is left.
    fn unmount(&self, index: usize) {
        fs::rename(&self.roots[index], self.away(index)).unwrap();
        fs::create_dir(&self.roots[index]).unwrap();
    }

    fn mount(&self, index: usize) {
        fs::remove_dir(&self.roots[index]).unwrap();
        fs::rename(self.away(index), &self.roots[index]).unwrap();
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

fn shards(set: &MountpathSet) -> Vec<Vec<[u8; 16]>> {
    set.usable.iter().map(|mountpath| mountpath.shards().to_vec()).collect()
}

#[test]
fn a_new_node_is_formatted_and_known_again() {
    let roots = Roots::new(3);
    let first = roots.open().unwrap();
    assert_eq!((first.usable.len(), first.missing.len()), (3, 0));
    let (node, all) = (first.node, shards(&first));
    assert!(all.iter().all(|shards| shards.len() == 2));
    let locked = roots.open().unwrap_err();
    assert!(matches!(
        locked,
        MountpathSetError::Mountpath(MountpathError::Locked { .. })
    ));
    drop(first);
    let again = roots.open().unwrap();
    assert_eq!((again.node, shards(&again)), (node, all));
}

#[test]
fn what_is_away_is_left_out_and_left_alone() {
    let roots = Roots::new(3);
    let all = shards(&roots.open().unwrap());
    roots.unmount(1);
    let set = roots.open().unwrap();
    assert_eq!(shards(&set), [all[0].clone(), all[2].clone()]);
    assert_eq!(set.missing, [all[1].clone()]);
    assert!(is_empty(&roots.roots[1]), "an unmounted directory was written to");
    drop(set);

    // Not even the directory is there.
    fs::remove_dir(&roots.roots[1]).unwrap();
    assert_eq!(roots.open().unwrap().missing, [all[1].clone()]);
    assert!(!roots.roots[1].exists(), "a missing directory was made");
    fs::create_dir(&roots.roots[1]).unwrap();

    // All but the last.
    roots.unmount(0);
    assert_eq!(shards(&roots.open().unwrap()), [all[2].clone()]);
    roots.unmount(2);
    for index in 0..3 {
        roots.mount(index);
    }
    assert_eq!(shards(&roots.open().unwrap()), all);
}

#[test]
fn what_is_damaged_is_left_out() {
    let roots = Roots::new(2);
    let all = shards(&roots.open().unwrap());
    let marker = roots.roots[0].join(MARKER);
    let text = fs::read_to_string(&marker).unwrap();
    let version = text.lines().next().unwrap();
    for damaged in ["", "nonsense", &format!("{version}\nnode = 00\n")] {
        fs::write(&marker, damaged).unwrap();
        let set = roots.open().unwrap();
        assert_eq!(
            (shards(&set), set.missing.clone()),
            (vec![all[1].clone()], vec![all[0].clone()])
        );
        drop(set);
        assert_eq!(fs::read_to_string(&marker).unwrap(), damaged);
    }
    // With nothing left there is nothing to serve.
    fs::write(roots.roots[1].join(MARKER), "nonsense").unwrap();
    assert!(matches!(roots.open(), Err(MountpathSetError::Nothing(..))));
    // A version this build does not read is not damage.
    fs::write(&marker, text.replace(version, "version = 999")).unwrap();
    let error = roots.open().unwrap_err();
    assert!(matches!(
        error,
        MountpathSetError::Mountpath(MountpathError::UnknownVersion { .. })
    ));
}

#[test]
fn another_set_is_refused_and_not_touched() {
    let mut roots = Roots::new(2);
    let all = shards(&roots.open().unwrap());
    let third = roots.base.join("disk-2");
    roots.roots.push(third.clone());
    assert!(matches!(
        roots.open(),
        Err(MountpathSetError::Changed { known: 2, given: 3 })
    ));
    fs::create_dir(&third).unwrap();
    assert!(matches!(roots.open(), Err(MountpathSetError::Changed { .. })));
    assert!(is_empty(&third));
    roots.roots.pop();
    let second = roots.roots.pop().unwrap();
    assert!(matches!(
        roots.open(),
        Err(MountpathSetError::Changed { known: 2, given: 1 })
    ));

    // In the place of a known one: not formatted, as if its disk were away.
    roots.roots.push(third.clone());
    assert_eq!(roots.open().unwrap().missing, [all[1].clone()]);
    assert!(is_empty(&third));

    // Another node's.
    let other = Roots::new(2);
    drop(other.open().unwrap());
    roots.roots.pop();
    roots.roots.push(other.roots[0].clone());
    assert!(matches!(roots.open(), Err(MountpathSetError::MixedNodes(..))));
    roots.roots.pop();

    // The same directory in the place of two.
    roots.roots.push(roots.roots[0].clone());
    assert!(roots.open().is_err());
    roots.roots.pop();

    // Of this node, and yet unknown.
    let marker = fs::read_to_string(second.join(MARKER)).unwrap();
    fs::write(
        second.join(MARKER),
        marker.replace(&hex(&all[1][0]), &hex(&random_uuid().unwrap())),
    )
    .unwrap();
    roots.roots.push(second);
    assert!(matches!(roots.open(), Err(MountpathSetError::Unknown(_))));
}

#[test]
fn a_making_that_was_interrupted_is_completed() {
    let roots = Roots::new(2);
    drop(MountpathSet::open(&roots.roots[..1], 2).unwrap());
    fs::remove_file(roots.roots[0].join(LIST)).unwrap();
    let set = roots.open().unwrap();
    assert_eq!((set.usable.len(), set.missing.len()), (2, 0));
    drop(set);
    // What has stored something was complete once, whatever became of its lists: nothing is formatted beside it.
    let lists = [0, 1].map(|index| roots.roots[index].join(LIST));
    let text = fs::read_to_string(&lists[0]).unwrap();
    for list in &lists {
        fs::remove_file(list).unwrap();
    }
    let segment = roots.roots[0].join("shard-001/log/0000000000000001.seg");
    fs::write(&segment, "").unwrap();
    roots.unmount(1);
    assert!(matches!(roots.open(), Err(MountpathSetError::Away(..))));
    fs::remove_file(&segment).unwrap();
    fs::write(&lists[0], "damaged").unwrap();
    assert!(matches!(roots.open(), Err(MountpathSetError::Away(..))));
    assert!(is_empty(&roots.roots[1]), "an unmounted directory was written to");
    roots.mount(1);
    assert_eq!(roots.open().unwrap().usable.len(), 2);
    assert!(lists.iter().all(|list| fs::read_to_string(list).unwrap() == text));
    // One list is enough, and is given to the other.
    let list = roots.roots[1].join(LIST);
    let text = fs::read_to_string(&list).unwrap();
    for damaged in [
        "",
        "nonsense",
        &text[..text.len() - 1],
        &text.replace("mountpath", "mountpatch"),
    ] {
        fs::write(&list, damaged).unwrap();
        assert_eq!(roots.open().unwrap().usable.len(), 2);
        assert_eq!(fs::read_to_string(&list).unwrap(), text);
    }
}

#[test]
fn lists_come_back_as_they_were_written() {
    let list = NodeList {
        node: [7; 16],
        mountpaths: vec![vec![[1; 16], [2; 16]], vec![[3; 16]]],
    };
    let text = list.text();
    assert_eq!(NodeList::parse(&text), Some(list));
    for cut in 0..text.len() {
        assert_eq!(NodeList::parse(&text[..cut]), None);
    }
}
