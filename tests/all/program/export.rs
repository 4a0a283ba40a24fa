//! `vggscope export`: pictures of event files as PNG files and animations.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use tensorboard_events::{EventFile, Summary};

use super::continued::put;
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
            // The last one is held.
            assert_eq!(delay / one, if n == 5 { 2000 } else { 250 });
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

/// What PyTorch logged, as one table; `tensorboard/export.rs` compares it with what TensorBoard and pandas have.
#[test]
fn scalars_are_one_table() {
    let place = Place::new();
    let plain = [fixtures().join("by_pytorch/plain")];
    let line = "export --out out --as csv --step 0,3";
    place.run(line, &plain).ok();
    let table = fs::read_to_string(place.path("out/scalars.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(rows[0], ["run", "tag", "step", "wall_time", "value"]);
    assert_eq!(rows[1][..3], [".", "train/loss", "0"]);
    assert_eq!((rows[1][4], rows[2][2], rows[2][4]), ("1.0", "3", "0.25"));
    assert_eq!(rows.len(), 3);

    let mut file = EventFile::create(&place.path("runs/a")).unwrap();
    let values = [f64::NAN, f64::INFINITY, 1e-30, -0.5];
    let tags = ["a,b", "quoted \"x\"", "c", "d"];
    let scalars = tags
        .iter()
        .zip(values)
        .map(|(tag, value)| Summary::scalar(*tag, value));
    file.write_step(7, scalars.collect()).unwrap();
    file.close().unwrap();
    let mut file = EventFile::create(&place.path("runs/deep/b")).unwrap();
    file.write_step(1, vec![Summary::scalar("c", 1.0)]).unwrap();
    file.close().unwrap();
    let ran = place
        .run("export runs --out all --as csv", &[] as &[PathBuf])
        .ok();
    assert_eq!(ran.out(), "all: 1 file\n");
    let table = fs::read_to_string(place.path("all/scalars.csv")).unwrap();
    for (begin, end) in [
        ("a,\"a,b\",7,", ",NaN"),
        ("a,\"quoted \"\"x\"\"\",7,", ",inf"),
        ("a,c,7,", ",1e-30"),
        ("a,d,7,", ",-0.5"),
        ("deep/b,c,1,", ",1.0"),
    ] {
        let is_row = |row: &str| row.starts_with(begin) && row.ends_with(end);
        assert!(table.lines().any(is_row), "{begin}: {table}");
    }
    place
        .run("export runs --out x --as csv --tag e", &[] as &[PathBuf])
        .fails(2, &["no scalar or figure tag", "it has a,b"]);
    place
        .run("export runs --out x --together", &[] as &[PathBuf])
        .fails(2, &["--together", "--as gif"]);
    place
        .run("export runs --out x --scale 2", &[] as &[PathBuf])
        .fails(2, &["--scale", "--as gif"]);
}

fn frames(bytes: Vec<u8>) -> Vec<image::RgbaImage> {
    let decoder = GifDecoder::new(Cursor::new(bytes)).unwrap();
    decoder
        .into_frames()
        .map(|frame| frame.unwrap().into_buffer())
        .collect()
}

#[test]
fn pictures_are_enlarged_by_whole_numbers() {
    let place = Place::new();
    let plain = [fixtures().join("by_pytorch/plain")];
    let line = "export --out out --tag maps/conv1 --step ..20 --as gif --scale";
    place.run(&format!("{line} 50"), &plain).ok();
    let all = frames(fs::read(place.path("out/maps/conv1.gif")).unwrap());
    let (width, height) = all[1].dimensions();
    // 8 x 6 pixels.
    assert!(width == 400 && height > 300, "{width} x {height}");
    let row = height - 2;
    let whites = (0..width).filter(|x| all[1].get_pixel(*x, row).0[0] > 128);
    // Step 10 has column 2 in white.
    assert_eq!(whites.collect::<Vec<_>>(), (100..150).collect::<Vec<_>>());
    for wrong in ["0", "65", "1.5"] {
        place
            .run(&format!("{line} {wrong}"), &plain)
            .fails(2, &["from 1 to 64"]);
    }
    let mut file = EventFile::create(&place.path("wide")).unwrap();
    let mut png = Cursor::new(Vec::new());
    image::RgbImage::new(1000, 2)
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    file.write_step(
        1,
        vec![Summary::image("a", "", 1000, 2, vec![png.into_inner()])],
    )
    .unwrap();
    file.close().unwrap();
    place
        .run(
            "export wide --out w --as apng --scale 64",
            &[] as &[PathBuf],
        )
        .fails(2, &["64000 x", "smaller --scale"]);
}

/// One of them has a picture at each step, the other at every second one.
#[test]
fn tags_are_shown_next_to_each_other() {
    let place = Place::new();
    let mut file = EventFile::create(&place.path("run")).unwrap();
    let picture = |level: u8| {
        let mut png = Cursor::new(Vec::new());
        let picture = image::GrayImage::from_pixel(200, 200, image::Luma([level]));
        picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    };
    for step in 0..4 {
        let level = u8::try_from(step * 60).unwrap();
        let mut all = vec![Summary::image("left", "", 200, 200, vec![picture(level)])];
        if step % 2 == 0 {
            all.push(Summary::image("right", "", 200, 200, vec![picture(level)]));
        }
        file.write_step(step, all).unwrap();
    }
    file.close().unwrap();
    let ran = place
        .run(
            "export run --out out --as gif --together",
            &[] as &[PathBuf],
        )
        .ok();
    assert_eq!(ran.out(), "out: 1 file\n");
    let all = frames(fs::read(place.path("out/together.gif")).unwrap());
    let levels: Vec<[u8; 2]> = all
        .iter()
        .map(|frame| {
            let row = frame.height() - 20;
            [100, frame.width() - 100].map(|x| frame.get_pixel(x, row).0[0] / 60)
        })
        .collect();
    assert_eq!(levels, [[0, 0], [1, 0], [2, 2], [3, 2]]);
}

/// JPEG by PyTorch's and TensorFlow's writers; the still pictures of a GIF.
#[test]
fn logged_jpegs_move() {
    let place = Place::new();
    let jpeg = fs::read(root().join("tests/fixtures/input/decode/420.jpg")).unwrap();
    let gif = fs::read(root().join("tests/fixtures/input/decode/palette.gif")).unwrap();
    let mut file = EventFile::create(&place.path("run")).unwrap();
    for (step, bytes) in (1..).zip([&jpeg, &gif, &jpeg]) {
        file.write_step(
            step,
            vec![Summary::image("a", "", 8, 6, vec![bytes.clone()])],
        )
        .unwrap();
    }
    file.close().unwrap();
    place
        .run("export run --out out --as gif", &[] as &[PathBuf])
        .ok();
    assert_eq!(frames(fs::read(place.path("out/a.gif")).unwrap()).len(), 3);
}

/// The figures of a sweep, at any size, and their numbers.
#[test]
fn figures_are_drawn_again() {
    let place = Place::on_cpu();
    for step in 1..=3 {
        put(&place, step);
    }
    let line = "checkpoints ckpts --crop 32 --resize 32 --layers relu1_1,relu3_1 --run a --images";
    place.run(line, &[photo("chelsea.png")]).ok();
    let export = |flags: &str| {
        let line = format!("export runs/a --step last --tag health/* {flags}");
        place.run(&line, &[] as &[PathBuf])
    };
    export("--out png --size 900x500").ok();
    let file = |path: &str| fs::read(place.path(path)).unwrap();
    let (width, height, ..) = decode(&file("png/health/01_relu1_1/step_000003.png"));
    assert_eq!((width, height), (900, 500));
    export("--out svg --as svg").ok();
    let svg = String::from_utf8(file("svg/health/01_relu1_1/step_000003.svg")).unwrap();
    assert!(
        svg.contains("width=\"700\" height=\"420\"") && svg.contains("relu1_1"),
        "{svg}"
    );
    export("--out csv --as csv").ok();
    let table = String::from_utf8(file("csv/health/01_relu1_1/step_000003.csv")).unwrap();
    let header = table.lines().next().unwrap();
    assert_eq!(header, "channel,1,2,3");
    // A row a channel, all of them fractions.
    assert!(table.lines().count() > 2, "{table}");
    for row in table.lines().skip(1) {
        let values = row
            .split(',')
            .skip(1)
            .map(|value| value.parse::<f32>().unwrap());
        assert!(
            values.into_iter().all(|value| (0.0..=1.0).contains(&value)),
            "{row}"
        );
    }
    // Pictures in rows and columns are drawn, and have no numbers.
    let evolution = "export runs/a --step last --tag evolution/* --out e";
    place
        .run(&format!("{evolution} --size 640x400"), &[] as &[PathBuf])
        .ok();
    let ran = place
        .run(&format!("{evolution} --as npz"), &[] as &[PathBuf])
        .ok();
    assert_eq!(ran.out(), "e: 0 files\n");
    export("--out x --as csv --size 900x500").fails(2, &["--size", "--as svg"]);
    export("--out x --size 900").fails(2, &["1400x840"]);
    let plain = [fixtures().join("by_pytorch/plain")];
    place
        .run("export --out x --as svg", &plain)
        .fails(2, &["no figure tag", "it has none"]);
}
