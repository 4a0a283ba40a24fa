//! Networks of other kinds that are not shown, and what does not go with them.

use crate::program::support::{Place, Ran, photo};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use zip::read::{ArchiveOffset, Config};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::any_network::*;

#[test]
fn what_does_not_go_together_is_refused_and_nothing_is_written() {
    let place = Place::new();
    let chelsea = photo("chelsea.png");
    let images = |flags: &str| {
        run(
            &place,
            &format!("images {flags}"),
            "residual.pt2",
            &[&chelsea],
        )
    };
    images("--layers rel").fails(2, &["\"rel\"", "did you mean 'rel*'"]);
    images("--layers squeeze.9").fails(2, &["squeeze.9", "squeeze.0 to squeeze.4"]);
    images("--crop 64").fails(2, &["64 x 64", "expected 32 x 32", "--crop 32"]);
    images("--arch vgg16").fails(2, &["--model", "cannot be used with", "--arch"]);
    place.write("data/train/a/x.png", b"");
    let more = [Path::new("--images"), &chelsea];
    run(&place, "train data", "residual.pt2", &more)
        .fails(2, &["training is of VGG networks", "checkpoints --model"]);
    let refused = |ran: Ran, parts: &[&str]| {
        let code = ran.code();
        assert!(code == 1 || code == 2, "{code}");
        ran.fails(code, parts);
    };
    for (name, parts) in [
        (
            "epoch_1.pth",
            &["epoch_1.pth", "state dict", "torch.export"],
        ),
        (
            "epoch_3.safetensors",
            &["epoch_3.safetensors", "without a network", "torch.export"],
        ),
        ("none.pt2", &["none.pt2", "no such file", ""]),
    ] {
        let model = checkpoint(name);
        let more = [&chelsea, Path::new("--model"), &model];
        refused(place.run("images", &more), parts);
        refused(place.run("layers", &more[1..]), parts);
    }
    let cut = place.path("cut.pt2");
    let bytes = fs::read(model("residual.pt2")).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let more = [&chelsea, Path::new("--model"), &cut];
    refused(place.run("images", &more), &["cut.pt2", "at its end"]);
    assert!(!place.path("runs").exists());
}

/// A program of which a text of the graph is another.
fn rewritten(place: &Place, from: &str, to: &str) -> PathBuf {
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let file = fs::File::open(model("residual.pt2")).unwrap();
    let mut archive = ZipArchive::with_config(config, file).unwrap();
    let path = place.path("net.pt2");
    let mut zip = ZipWriter::new(fs::File::create(&path).unwrap());
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if name.ends_with("models/model.json") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from));
            bytes = text.replacen(from, to, 1).into();
        }
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name, options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

#[test]
fn a_graph_that_fails_is_named_and_nothing_is_written() {
    let place = Place::new();
    let chelsea = photo("chelsea.png");
    let window = "\"kernel_size\", \"arg\": {\"as_ints\": [3, 3]}";
    let training = "{\"name\": \"training\", \"arg\": {\"as_bool\": false}";
    let changes: [(&str, &str, &[&str]); 3] = [
        (
            window,
            "\"kernel_size\", \"arg\": {\"as_ints\": [3, 99]}",
            &[
                "net.pt2: pool: aten.max_pool2d",
                "does not fit",
                "--layers before it",
            ],
        ),
        (
            training,
            "{\"name\": \"training\", \"arg\": {\"as_bool\": true}",
            &["net.pt2: aten.batch_norm in stem.1", "after .eval()"],
        ),
        (
            "torch.ops.aten.silu.default",
            "torch.ops.mine.silu.default",
            &[
                "net.pt2: squeeze.2 needs mine.silu",
                "once",
                "--layers up to squeeze.1",
            ],
        ),
    ];
    for (from, to, parts) in changes {
        let path = rewritten(&place, from, to);
        let more = [&chelsea, Path::new("--model"), &path];
        let ran = place.run("images --layers all", &more);
        let code = ran.code();
        ran.fails(code, parts);
        assert!(code != 0 && !place.path("runs").exists(), "{code}");
    }
    let out = place.run("layers --model net.pt2", &[""; 0]).ok().out();
    assert!(
        out.contains("not known: mine.silu") && out.contains("up to squeeze.1"),
        "{out}"
    );
}
