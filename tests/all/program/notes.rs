//! What is said at the end of a run.

use crate::program::support::{Place, photo, root, weights};

fn narrow() -> String {
    format!("--weights={}", weights().display())
}

/// What was shown otherwise than a person may think, and what was not shown: a line each at the end.
#[test]
fn what_is_peculiar_about_images_is_said_once() {
    let place = Place::new();
    let decode = root().join("tests/fixtures/input/decode");
    for (name, to) in [
        ("exif_turned.jpg", "in/a.jpg"),
        ("exif_turned.jpg", "in/deep/b.JFIF"),
        ("rgb_turned_6.tif", "in/turned_already.tif"),
        ("gray16.pgm", "in/c.pgm"),
        ("rgb8.png", "in/d.png"),
    ] {
        place.put(&decode.join(name), to);
    }
    place.write(
        "in/white.pgm",
        [b"P5 2 2 65535\n".as_slice(), &[9; 8]].concat(),
    );
    for other in [
        "in/x.heic",
        "in/deep/y.HEIC",
        "in/labels",
        "in/.hidden",
        "in/__MACOSX/z.png",
    ] {
        place.write(other, "no image");
    }
    let flags = "--layers conv1_1 --resize 32 --crop 32 --logdir";
    let said = [
        "2 images with an EXIF orientation, shown as stored",
        "in/a.jpg)",
        "1 image of 16-bit gray came out white",
        "in/white.pgm)",
        "files left out by their ending: 2 .heic, 1 without an ending",
    ];
    let images = place.run(&format!("images in {flags} a"), &[narrow()]).ok();
    place.put(&weights(), "ckpts/epoch_1.safetensors");
    let checkpoints = place
        .run(&format!("checkpoints ckpts {flags} b --images"), &["in"])
        .ok();
    for ran in [images, checkpoints] {
        for part in said {
            assert_eq!(ran.out().matches(part).count(), 1, "{part}: {}", ran.out());
        }
    }
}

/// It ended the run with advice on permissions.
#[cfg(unix)]
#[test]
fn links_to_nothing_or_a_folder_above_are_left_out_and_named() {
    let place = Place::new();
    place.put(&photo("chelsea.png"), "in/a.png");
    for (target, link) in [("..", "above"), ("gone.png", "b.png"), ("c.png", "c.png")] {
        std::os::unix::fs::symlink(target, place.path("in").join(link)).unwrap();
    }
    let flags = "--layers conv1_1 --resize 32 --crop 32";
    let ran = place.run(&format!("images in {flags}"), &[narrow()]).ok();
    let out = ran.out();
    assert!(out.contains("left out: in/above (a link to "), "{out}");
    let gone = "in/b.png (a link to gone.png, which leads nowhere), in/c.png (a link to c.png, ";
    assert!(out.contains(gone), "{out}");
    assert!(out.contains("1 step"), "{out}");

    std::os::unix::fs::symlink("self.png", place.path("self.png")).unwrap();
    let parts = ["self.png: a link to self.png, which leads nowhere"];
    let ran = place.run(&format!("images self.png {flags}"), &[narrow()]);
    assert!(!ran.err().contains("permission"), "{}", ran.err());
    ran.fails(1, &parts);
}
