//! A disk that loses its power: what is on it, at worst, after the first calls of a run.
//!
//! The calls are those of the program itself, on all of its threads, as `faults.c` noted them. POSIX promises no more
//! than this: the bytes of a file are on the disk once it was synced, its name once its folder was.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// What the disk made of what it was not asked to keep.
#[derive(Debug, Clone, Copy)]
pub(super) enum Loss {
    /// Nothing of it is there: no name, no byte.
    All,
    /// Names and lengths are there, and NUL in place of the bytes, as XFS and ext4 leave them.
    Bytes,
    /// Names are there, and half of the bytes.
    Half,
}

impl Loss {
    pub(super) const EACH: [Self; 3] = [Self::All, Self::Bytes, Self::Half];
}

/// A call that changed something.
pub(super) struct Call {
    name: String,
    path: PathBuf,
    /// A write's offset, the length after a truncation, the inode of a file that is created or synced.
    number: u64,
    data: Vec<u8>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.path.display())
    }
}

impl Call {
    /// All calls of a journal.
    pub(super) fn read(journal: &Path) -> Vec<Self> {
        let bytes = fs::read(journal).unwrap();
        let mut rest = bytes.as_slice();
        let mut calls = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = str::from_utf8(&rest[..end]).unwrap();
            let [name, number, length, path] = *line.splitn(4, ' ').collect::<Vec<_>>() else {
                panic!("{line}");
            };
            let (data, more) = rest[end + 1..].split_at(length.parse().unwrap());
            rest = more;
            calls.push(Self {
                name: name.to_owned(),
                path: path.trim_end_matches(" (deleted)").into(),
                number: number.parse().unwrap(),
                data: data.to_owned(),
            });
        }
        calls
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Folder,
    /// Which of the contents it has.
    File(usize),
}

#[derive(Default, Clone)]
struct Content {
    inode: u64,
    now: Vec<u8>,
    synced: Vec<u8>,
}

impl Content {
    fn after(&self, loss: Loss) -> Vec<u8> {
        let kept = self.now.iter().zip(&self.synced);
        let kept = kept.take_while(|(now, synced)| now == synced).count();
        match loss {
            Loss::All => self.synced.clone(),
            Loss::Bytes => {
                let mut bytes = self.now[..kept].to_owned();
                bytes.resize(self.now.len(), 0);
                bytes
            }
            Loss::Half => self.now[..kept.midpoint(self.now.len())].to_owned(),
        }
    }
}

/// A folder as it was found, and everything below it.
#[derive(Clone)]
pub(super) struct Disk {
    root: PathBuf,
    contents: Vec<Content>,
    now: BTreeMap<PathBuf, Node>,
    synced: BTreeMap<PathBuf, Node>,
}

impl Disk {
    /// What is there is on the disk.
    pub(super) fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            contents: Vec::new(),
            now: BTreeMap::new(),
            synced: BTreeMap::new(),
        };
        disk.add(root);
        disk.synced = disk.now.clone();
        disk
    }

    fn add(&mut self, path: &Path) {
        if path.is_dir() {
            self.now.insert(path.to_owned(), Node::Folder);
            for entry in fs::read_dir(path).unwrap() {
                self.add(&entry.unwrap().path());
            }
            return;
        }
        let bytes = fs::read(path).unwrap();
        let content = Content {
            inode: fs::metadata(path).unwrap().ino(),
            now: bytes.clone(),
            synced: bytes,
        };
        self.create(path, content);
    }

    fn create(&mut self, path: &Path, content: Content) {
        let file = Node::File(self.contents.len());
        self.now.insert(path.to_owned(), file);
        self.contents.push(content);
    }

    /// A crate that writes files renames them past the C library, which is seen when they are synced.
    fn rename_unseen(&mut self, inode: u64, path: &Path) {
        let is_it = |node: &Node| match node {
            Node::File(file) => self.contents[*file].inode == inode,
            Node::Folder => false,
        };
        if self.now.get(path).is_some_and(is_it) {
            return;
        }
        let named = self.now.iter().find(|(_, node)| is_it(node));
        if let Some((old, node)) = named.map(|(old, node)| (old.clone(), *node)) {
            self.now.remove(&old);
            self.now.insert(path.to_owned(), node);
        }
    }

    pub(super) fn apply(&mut self, call: &Call) {
        let path = &call.path;
        match call.name.as_str() {
            "create" => {
                let inode = call.number;
                let content = Content {
                    inode,
                    ..Content::default()
                };
                self.create(path, content);
            }
            "mkdir" => drop(self.now.insert(path.clone(), Node::Folder)),
            "unlink" | "rmdir" => drop(self.now.remove(path)),
            "rename" => {
                let to = PathBuf::from(String::from_utf8(call.data.clone()).unwrap());
                let node = self.now.remove(path).unwrap();
                assert!(
                    node != Node::Folder,
                    "a folder was renamed: {}",
                    path.display()
                );
                self.now.insert(to, node);
            }
            "sync" if self.now.get(path) == Some(&Node::Folder) => {
                let is_in = |other: &PathBuf| other.parent() == Some(path);
                self.synced.retain(|other, _| !is_in(other));
                let here = self.now.iter().filter(|(other, _)| is_in(other));
                self.synced
                    .extend(here.map(|(path, node)| (path.clone(), *node)));
            }
            change => {
                let number = usize::try_from(call.number).unwrap();
                if change == "sync" {
                    self.rename_unseen(call.number, path);
                }
                // A file that is open stays one after its name is gone, and nobody sees it.
                let Some(Node::File(file)) = self.now.get(path) else {
                    return;
                };
                let content = &mut self.contents[*file];
                match change {
                    "sync" => content.synced.clone_from(&content.now),
                    "truncate" => content.now.resize(number, 0),
                    "write" => {
                        let end = number + call.data.len();
                        content.now.resize(content.now.len().max(end), 0);
                        content.now[number..end].copy_from_slice(&call.data);
                    }
                    other => panic!("{other}"),
                }
            }
        }
    }

    /// Every call that mattered was noted: what there should be is there.
    pub(super) fn assert_is_there(&self) {
        let there = Self::of(&self.root);
        assert!(there.now.keys().eq(self.now.keys()), "{:?}", self.now);
        for (path, bytes) in self.files(&self.now, |content| content.now.clone()) {
            assert!(bytes == fs::read(path).unwrap(), "{}", path.display());
        }
    }

    /// What a loss of power would still take or change; that somebody holds a folder may be forgotten.
    pub(super) fn unsynced(&self) -> Vec<&Path> {
        let is_synced = |(path, node): &(&PathBuf, &Node)| {
            let is_same = match node {
                Node::File(file) => self.contents[*file].now == self.contents[*file].synced,
                Node::Folder => true,
            };
            is_same && self.synced.get(*path) == Some(node) || path.ends_with(".lock")
        };
        let lost = self.now.iter().filter(|one| !is_synced(one));
        lost.map(|(path, _)| path.as_path()).collect()
    }

    /// Leaves in the folder what is there when the power is back.
    pub(super) fn restore(&self, loss: Loss) {
        fs::remove_dir_all(&self.root).unwrap();
        let nodes = match loss {
            Loss::All => &self.synced,
            Loss::Bytes | Loss::Half => &self.now,
        };
        for (path, node) in nodes {
            // A folder whose name was lost holds nothing either.
            if *node == Node::Folder && (*path == self.root || path.parent().unwrap().exists()) {
                fs::create_dir(path).unwrap();
            }
        }
        for (path, bytes) in self.files(nodes, |content| content.after(loss)) {
            if path.parent().unwrap().exists() {
                fs::write(path, bytes).unwrap();
            }
        }
    }

    fn files<'a>(
        &'a self,
        nodes: &'a BTreeMap<PathBuf, Node>,
        bytes: impl Fn(&Content) -> Vec<u8>,
    ) -> impl Iterator<Item = (&'a Path, Vec<u8>)> {
        nodes.iter().filter_map(move |(path, node)| match node {
            Node::File(file) => Some((path.as_path(), bytes(&self.contents[*file]))),
            Node::Folder => None,
        })
    }
}
