//! Files of other formats, by their first bytes or the names in them.

use std::fs;

use super::{assert_says, fixture, message_for, refused};

/// Containers and pickles that `torch.save` no longer writes.
#[test]
fn files_from_before_2017_say_how_to_convert_them() {
    let convert = "torch.save(torch.load(FILE, weights_only=False), \"weights.pth\")";
    let mut tar = [0; 1024];
    tar[..8].copy_from_slice(b"sys_info");
    tar[257..262].copy_from_slice(b"ustar");
    assert_says(&message_for(&tar), &["before 2017", "tar archive", convert]);
    tar[..8].copy_from_slice(b"vgg.pth\0");
    assert_says(&message_for(&tar), &["a tar archive: unpack it"]);
    // `torch.save(…, pickle_protocol=0)`: the first pickle is the magic number, as text.
    let magic = b"L119547037146038801333356L\n.";
    assert_says(&message_for(magic), &["protocol 0 or 1", convert]);
    // Protocol 1 names itself in no opcode, or in a `PROTO` of its own.
    let legacy = fs::read(fixture("legacy.pth")).unwrap();
    let second = legacy.iter().position(|&byte| byte == b'.').unwrap() + 1;
    for dict in [&b"}q\x00."[..], b"\x80\x01}q\x00."] {
        let bytes = [&legacy[..second], dict].concat();
        assert_says(&message_for(&bytes), &["protocol 0 or 1", convert]);
    }
}

#[test]
fn files_of_another_kind_are_called_what_they_are() {
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:397923af\nsize 553433881\n";
    assert_says(
        &message_for(lfs.as_bytes()),
        &["Git LFS pointer", "git lfs pull"],
    );
    assert_says(
        &message_for(b"<!DOCTYPE html>\n<html><body>404: not found</body></html>"),
        &["web page"],
    );
    assert_says(&message_for(b"\n  <html>caf\xc3\xa9"), &["web page"]);
    assert_says(
        &message_for(b"epoch 1 loss 0.5\n"),
        &["text file", ".safetensors"],
    );
    assert_says(&message_for("größe".as_bytes()), &["text file"]);
    assert_says(&message_for(b""), &["is empty"]);
    assert_says(&message_for(b"\x89HDF\r\n\x1a\n\0\0"), &["HDF5"]);
    assert_says(&message_for(b"\x1f\x8b\x08\0\0\0"), &["gzip"]);
    assert_says(&message_for(b"\xfd7zXZ\0\0\x04\xe6"), &["xz: unpack"]);
    assert_says(&message_for(b"\x93NUMPY\x01\0"), &["NumPy"]);
    assert_says(&message_for(&[0; 64]), &["an unknown weights format"]);
    assert_says(
        &message_for(b"\xff\xd8\xff\xe0JFIF"),
        &["is an image, not a weights file"],
    );
    let folder = tempfile::tempdir().unwrap();
    assert_says(&refused(folder.path()).to_string(), &["is a folder"]);
    let missing = folder.path().join("missing.pth");
    let error = refused(&missing);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_says(&cause, &["No such file"]);
}

#[test]
fn zip_archives_of_another_kind_are_called_what_they_are() {
    let zip_with = |names: &[&str]| {
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for name in names {
            let start = u32::try_from(bytes.len()).unwrap();
            let len = u16::try_from(name.len()).unwrap().to_le_bytes();
            bytes.extend(*b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
            bytes.extend(len);
            bytes.extend([0, 0]);
            bytes.extend(name.as_bytes());
            directory.extend(*b"PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
            directory.extend(len);
            directory.extend([0; 12]);
            directory.extend(start.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let count = u16::try_from(names.len()).unwrap().to_le_bytes();
        let start = u32::try_from(bytes.len()).unwrap();
        let len = u32::try_from(directory.len()).unwrap();
        bytes.extend(directory);
        bytes.extend(*b"PK\x05\x06\0\0\0\0");
        bytes.extend(count);
        bytes.extend(count);
        bytes.extend(len.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    };
    assert_says(&message_for(&zip_with(&["arr_0.npy"])), &["NumPy archive"]);
    assert_says(
        &message_for(&zip_with(&["config.json", "model.weights.h5"])),
        &["Keras"],
    );
    assert_says(
        &message_for(&zip_with(&["run/vgg16.pth"])),
        &["`run/vgg16.pth`", "unpack"],
    );
    // What torch.export writes, without its weights; the samples in it are torch.save's.
    let exported = ["a/data/sample_inputs/model.pt", "a/models/model.json"];
    assert_says(
        &message_for(&zip_with(&exported)),
        &["it lacks a/data/weights/model_weights_config.json"],
    );
    assert_says(&message_for(&zip_with(&["x"])), &["without `data.pkl`"]);
    assert_says(&message_for(&zip_with(&[])), &["without `data.pkl`"]);
}
