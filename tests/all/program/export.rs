//! `vggscope export`: pictures of event files as PNG files and animations.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use tensorboard_events::{EventFile, Summary};

use super::inspect::fixtures;
use crate::program::support::{Place, decode, photo, root};

#[test]
fn pictures_are_the_bytes_that_were_logged() {
    let place = Place::new();
    let plain = [fixtures().join("by_pytorch/plain")];
    let ran = place
        .run(
            "export --out out --tag maps/conv1 --step first,100..120",
            &plain,
        )
        .ok();
    assert_eq!(ran.out(), "out: 4 files\n");
    let mut names: Vec<_> = fs::read_dir(place.path("out/maps/conv1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "step_000000.png",
            "step_000100.png",
            "step_000110.png",
            "step_000120.png"
        ]
    );
    let (width, height, channels, pixels) =
        decode(&fs::read(place.path("out/maps/conv1/step_000110.png")).unwrap());
    assert_eq!((width, height, channels), (8, 6, 3));
    // `with_pytorch.py` makes column `step % 8` white.
    for (n, pixel) in pixels.chunks(3).enumerate() {
        assert_eq!(pixel, [if n % 8 == 110 % 8 { 255 } else { 0 }; 3], "{n}");
    }

    // Several pictures a step; a file in the place of a run; what TensorFlow 1 and 2 write.
    let modern = [fixtures().join("by_tensorflow/modern")];
    place.run("export --out tf --tag batch", &modern).ok();
    assert!(place.path("tf/batch/step_000001_1.png").exists());
    let legacy = [fixtures().join("by_tensorflow/legacy/events.out.tfevents.1700000000.host.1.0")];
    let ran = place.run("export --out old --step last", &legacy).ok();
    assert_eq!(ran.out(), "old: 2 files\n");

    // The first value alone says what the tag is of.
    let line = "images --resize 64 --crop 64 --layers conv1_1 --run two --quiet";
    let photos = ["chelsea.png", "coffee.png"].map(photo);
    place.run(line, &photos).ok();
    let ran = place
        .run(
            "export runs/two --out two --tag feature_maps/*",
            &[] as &[PathBuf],
        )
        .ok();
    assert_eq!(ran.out(), "two: 2 files\n");

    // Of several runs each has its folder; those without the tag are none the worse.
    let all = [fixtures().join("by_tensorflow")];
    place.run("export --out all --tag map --step 3", &all).ok();
    assert!(place.path("all/modern/map/step_000003.png").exists());

    place
        .run("export --out x --tag loss", &modern)
        .fails(2, &["no image tag", "'loss'", "it has batch, map"]);
    place
        .run("export --out x --tag map --step 99", &modern)
        .fails(2, &["map has no step", "12 from 0 to 11"]);
    place
        .run("export --out x --step 5..1", &modern)
        .fails(2, &["--step", "100..200"]);
    place.write("file", "");
    place
        .run("export --out file/x", &modern)
        .fails(1, &["cannot write", "--out"]);
    let flipped = [fixtures().join("by_pytorch/flipped")];
    let ran = place.run("export --out f", &flipped);
    assert_eq!(ran.code(), 1);
    assert!(
        ran.err().contains("skipped: ") && ran.err().contains("checksum"),
        "{}",
        ran.err()
    );
}

#[test]
fn animations_have_a_frame_a_step() {
    let place = Place::new();
    let plain = [fixtures().join("by_pytorch/plain")];
    for format in ["apng", "gif"] {
        let line =
            format!("export --out out --tag maps/conv1 --step ..50 --as {format} --delay 250");
        let ran = place.run(&line, &plain).ok();
        assert_eq!(ran.out(), "out: 1 file\n");
        let bytes = fs::read(place.path(&format!("out/maps/conv1.{format}"))).unwrap();
        let frames = if format == "gif" {
            GifDecoder::new(Cursor::new(bytes)).unwrap().into_frames()
        } else {
            PngDecoder::new(Cursor::new(bytes))
                .unwrap()
                .apng()
                .unwrap()
                .into_frames()
        };
        let frames: Vec<_> = frames.map(Result::unwrap).collect();
        assert_eq!(frames.len(), 6, "{format}");
        for (n, frame) in frames.iter().enumerate() {
            let (delay, one) = frame.delay().numer_denom_ms();
            assert_eq!(delay / one, 250);
            let picture = frame.buffer();
            // 8 x 6 pixels, each 24 wide, below the label.
            let (width, height) = picture.dimensions();
            assert!(width >= 192 && height > 144, "{width} x {height}");
            let row = height - 2;
            for column in 0..8 {
                let pixel = picture.get_pixel(column * 24 + 12, row).0[0];
                let is_white = column as usize == (10 * n) % 8;
                assert_eq!(pixel > 128, is_white, "{format} frame {n} column {column}");
            }
            let label = picture
                .rows()
                .take(10)
                .flatten()
                .filter(|pixel| pixel.0[0] > 128);
            assert!(label.count() > 20, "no label");
        }
        // The labels are others.
        assert_ne!(
            frames[1].buffer().as_raw()[..5000],
            frames[2].buffer().as_raw()[..5000]
        );
    }
}

/// TensorBoard shows JPEG and GIF too: `tf.summary.image` with encoded bytes, `add_video` of PyTorch.
#[test]
fn pictures_of_other_formats_stay_as_they_were_logged() {
    let place = Place::new();
    let logged = ["420.jpg", "palette.gif"].map(|name| {
        let path = root().join("tests/fixtures/input/decode").join(name);
        fs::read(path).unwrap()
    });
    let mut file = EventFile::create(&place.path("run")).unwrap();
    file.write_step(1, vec![Summary::image("a", "", 8, 6, logged.to_vec())])
        .unwrap();
    file.close().unwrap();
    let ran = place.run("export run --out out", &[] as &[PathBuf]).ok();
    assert_eq!(ran.out(), "out: 2 files\n");
    for (name, bytes) in ["step_000001_0.jpg", "step_000001_1.gif"]
        .iter()
        .zip(logged)
    {
        assert!(fs::read(place.path("out/a").join(name)).unwrap() == bytes);
    }
}

/// Tags that differ only in what no file name can hold have a folder each.
#[test]
fn tags_of_one_path_are_exported_apart() {
    let place = Place::new();
    let mut png = Cursor::new(Vec::new());
    image::RgbImage::new(8, 6)
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let mut file = EventFile::create(&place.path("run")).unwrap();
    let tags = ["a:b", "a_b", "A_b", "a?b"];
    let values = tags.map(|tag| Summary::image(tag, "", 8, 6, vec![png.get_ref().clone()]));
    file.write_step(1, values.into()).unwrap();
    file.close().unwrap();
    let ran = place.run("export run --out out", &[] as &[PathBuf]).ok();
    assert_eq!(ran.out(), "out: 4 files\n");
    assert!(ran.err().contains("a:b is in out/a_b_"), "{}", ran.err());
    let folders: Vec<_> = fs::read_dir(place.path("out")).unwrap().collect();
    assert_eq!(folders.len(), 4);
    for folder in folders {
        assert!(folder.unwrap().path().join("step_000001.png").exists());
    }
    // On file systems that are case-sensitive, the first one of that name.
    assert!(place.path("out/A_b/step_000001.png").exists());
    let ran = place
        .run("export run --out gifs --as gif", &[] as &[PathBuf])
        .ok();
    assert_eq!(ran.out(), "gifs: 4 files\n");
    assert_eq!(fs::read_dir(place.path("gifs")).unwrap().count(), 4);
}
