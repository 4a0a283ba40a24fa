//! `vggscope inspect`, `export` and `view`, on event files by PyTorch and TensorFlow. How those were made, and what
//! TensorBoard counts in them: `tests/fixtures/read_back/`.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use serde_json::Value;
use tensorboard_events::{EventFile, Summary};

use crate::program::support::{Place, decode, photo, root};

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/read_back")
}

fn inspect(place: &Place, paths: &[PathBuf], code: i32) -> Vec<Value> {
    let ran = place.run("inspect --json", paths);
    assert_eq!(ran.code(), code, "{}", ran.err());
    serde_json::from_str(&ran.out()).unwrap()
}

#[test]
fn counts_are_those_of_tensorboard() {
    let counts = fs::read(fixtures().join("counts.json")).unwrap();
    let counts: Value = serde_json::from_slice(&counts).unwrap();
    let mut checked = 0;
    for (writer, loaders) in counts.as_object().unwrap() {
        let runs = inspect(
            &Place::new(),
            &[fixtures().join(writer)],
            i32::from(writer == "by_pytorch"),
        );
        for run in runs {
            let name = PathBuf::from(run["path"].as_str().unwrap());
            let name = name.file_name().unwrap().to_str().unwrap().to_owned();
            let tags = run["tags"].as_array().unwrap();
            for loader in ["fast", "slow"] {
                let of_run = |samples: &str| loaders[loader][samples][&name].clone();
                let all = of_run("all");
                let expected = all.as_object().map_or(0, serde_json::Map::len);
                assert_eq!(tags.len(), expected, "{writer} {name}");
                for tag in tags {
                    let about = format!("{writer} {name} {loader} {tag}");
                    let counted = &all[tag["name"].as_str().unwrap()];
                    assert_eq!(counted[0], tag["plugin"], "{about}");
                    assert_eq!(counted[1], tag[loader]["steps"], "{about}");
                    let shown = of_run("default")[tag["name"].as_str().unwrap()][1].clone();
                    // Of a tag whose steps come again, which are taken out of the sample is chance.
                    if name == "resumed" {
                        assert!(
                            shown.as_u64() <= tag[loader]["by_default"].as_u64(),
                            "{about}"
                        );
                    } else {
                        assert_eq!(shown, tag[loader]["by_default"], "{about}");
                    }
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn damage_is_said_and_makes_the_exit_code() {
    let place = Place::new();
    let of = |run: &str| vec![fixtures().join("by_pytorch").join(run)];
    let ran = place.run("inspect", &of("plain")).ok();
    let out = ran.out();
    for part in [
        "plain: 9 tags, 1493 values",
        "shows 1000 of them by default",
        "shows 10 of them by default",
        "whole",
        "--samples_per_plugin histograms=130,images=24,scalars=1200,text=130",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let cut = place.run("inspect", &of("cut"));
    assert_eq!(cut.code(), 1);
    assert!(cut.out().contains("is truncated"), "{}", cut.out());
    let flipped = place.run("inspect", &of("flipped"));
    assert_eq!(flipped.code(), 1);
    let out = flipped.out();
    assert!(out.contains("does not match its checksum"), "{out}");
    assert!(
        out.contains("has 10 steps, with --load_fast=false 5: a file is damaged"),
        "{out}"
    );
    assert!(!out.contains("came again"), "{out}");
    let empty = inspect(&place, &of("empty"), 0);
    assert_eq!(empty[0]["tags"].as_array().unwrap().len(), 0);

    place
        .run("inspect", &[place.path("none")])
        .fails(2, &["none"]);
    place.run::<PathBuf>("inspect", &[]).fails(2, &["required"]);
    fs::create_dir(place.path("folder")).unwrap();
    place
        .run("inspect", &[place.path("folder")])
        .fails(2, &["no event file", "folder", "tfevents"]);
    #[cfg(unix)]
    {
        // A link that leads nowhere hides no run beside it.
        let there = place.path("linked");
        fs::create_dir(&there).unwrap();
        std::os::unix::fs::symlink(&there, there.join("again")).unwrap();
        std::os::unix::fs::symlink(place.path("nowhere"), there.join("latest")).unwrap();
        std::os::unix::fs::symlink(&of("empty")[0], there.join("run")).unwrap();
        assert_eq!(inspect(&place, &[there], 0).len(), 1);
    }
    let file = place.write("x.tfevents.1", "no event file at all");
    let foreign = inspect(&place, &[file], 1);
    assert!(foreign[0]["files"][0]["damage"].is_string());
}

/// As PyTorch's `add_scalar` without a step writes them: the fast loader has the last of them.
#[test]
fn many_values_at_one_step_are_told_from_a_step_that_came_again() {
    let place = Place::new();
    let run = place.path("run");
    let mut file = EventFile::create(&run).unwrap();
    let mut ends = vec![usize::try_from(file.bytes_written()).unwrap()];
    for step in [0, 1] {
        let loss = vec![Summary::scalar("loss", 0.5)];
        file.write_step(step, loss).unwrap();
        ends.push(usize::try_from(file.bytes_written()).unwrap());
    }
    let path = file.path().to_owned();
    drop(file);
    let bytes = fs::read(&path).unwrap();
    let (beginning, zero, one) = (
        &bytes[..ends[0]],
        &bytes[ends[0]..ends[1]],
        &bytes[ends[1]..],
    );
    let said = |values: &[&[u8]]| {
        fs::write(&path, [beginning, &values.concat()].concat()).unwrap();
        place.run("inspect", std::slice::from_ref(&run)).ok().out()
    };
    for (values, expected) in [
        (
            &[zero; 50][..],
            "has 1 steps, with --load_fast=false 50: several values at one step",
        ),
        (
            &[zero, one, zero],
            "has 1 steps, with --load_fast=false 3: a step came again",
        ),
        (&[zero, one], "shows all"),
    ] {
        let out = said(values);
        assert!(out.contains(expected), "{out}");
    }
}

/// A file that says it is of any length, and every prefix of a whole one, end in an answer.
#[test]
fn no_event_file_is_too_broken() {
    let place = Place::new();
    let whole = fixtures().join("by_tensorflow/legacy/events.out.tfevents.1700000000.host.1.0");
    let bytes = fs::read(whole).unwrap();
    for length in (0..bytes.len()).step_by(61) {
        place.write(&format!("runs/{length}/tfevents"), &bytes[..length]);
        let mut flipped = bytes.clone();
        flipped[length] ^= 0x55;
        place.write(&format!("runs/flipped{length}/tfevents"), flipped);
    }
    let runs = inspect(&place, &[place.path("runs")], 1);
    assert!(runs.len() > 20);
    let exported = place.run("export runs --out pictures", &[] as &[PathBuf]);
    assert_eq!(exported.code(), 1);
    assert!(!exported.err().contains("unexpected"), "{}", exported.err());
}

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

#[test]
fn tensorboard_gets_room_for_every_step() {
    let place = Place::new();
    let plain = fixtures().join("by_pytorch/plain");
    let out = place
        .run("view --print", std::slice::from_ref(&plain))
        .ok()
        .out();
    assert!(out.starts_with("tensorboard --logdir "), "{out}");
    assert!(
        out.contains("images=2400,") && out.contains("scalars=2400,"),
        "{out}"
    );
    let both = [plain.clone(), fixtures().join("by_tensorflow")];
    let out = place.run("view --print", &both).ok().out();
    assert!(
        out.contains("--logdir_spec ") && out.contains("plain:"),
        "{out}"
    );
    place
        .run("view --print", &[] as &[PathBuf])
        .fails(2, &["runs"]);

    let without = place.run_with("view", std::slice::from_ref(&plain), |command| {
        command.env("PATH", "");
    });
    without.fails(1, &["not installed", "pip install tensorboard", "--logdir"]);
    // One that says how it was called.
    let program = place.write("bin/tensorboard", "#!/bin/sh\necho called \"$@\"\nexit 3\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/bin:/usr/bin", place.path("bin").display());
        let called = place.run_with("view", &["runs", "--", "--port", "6007"], |command| {
            command.env("PATH", &path);
        });
        called.fails(2, &["runs"]);
        fs::create_dir(place.path("runs")).unwrap();
        fs::copy(
            plain.join("events.out.tfevents.1700000004.host.1.0"),
            place.path("runs/a.tfevents"),
        )
        .unwrap();
        let called = place.run_with("view", &["runs", "--", "--port", "6007"], |command| {
            command.env("PATH", &path);
        });
        assert_eq!(called.code(), 3);
        assert!(
            called
                .out()
                .starts_with("called --logdir runs --samples_per_plugin "),
            "{}",
            called.out()
        );
        assert!(called.out().ends_with("--port 6007\n"), "{}", called.out());
    }
}

/// Every path arrives at TensorBoard as it is, through a shell and TensorBoard's own parser.
#[test]
#[cfg(unix)]
fn any_path_can_be_viewed() {
    let place = Place::new();
    let event_file = fixtures().join("by_pytorch/plain/events.out.tfevents.1700000004.host.1.0");
    let names = [
        "plain",
        "with space",
        "it's \"quoted\"",
        "co:lon",
        "co_lon",
        "-dash",
        "~tilde",
        "a/deep",
    ];
    for name in names.iter().chain(&["com,ma"]) {
        let folder = place.path(name);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(&event_file, folder.join("tfevents")).unwrap();
    }
    let words = |args: &[PathBuf]| -> Vec<String> {
        let printed = place.run("view --print", args).ok().out();
        let script = printed.replacen("tensorboard", "printf '%s\\n'", 1);
        let mut shell = std::process::Command::new("sh");
        let output = shell.arg("-c").arg(script).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let typed = |name: &str| PathBuf::from(format!("./{name}"));
    for name in names.iter().chain(&["com,ma"]) {
        for path in [typed(name), place.path(name)] {
            let words = words(std::slice::from_ref(&path));
            assert_eq!(words[0], "--logdir");
            assert!(!words[1].starts_with(['-', '~']), "{words:?}");
            let folder = place.path(".").join(&words[1]);
            assert_eq!(
                folder.canonicalize().unwrap(),
                place.path(name).canonicalize().unwrap()
            );
        }
    }
    // As `_parse_event_files_spec` takes it apart.
    for all in [names.map(typed), names.map(|name| place.path(name))] {
        let words = words(&all);
        assert_eq!(words[0], "--logdir_spec");
        let mut seen = std::collections::BTreeSet::new();
        for (spec, name) in words[1].split(',').zip(names) {
            assert!(!spec.starts_with('/'), "{spec}");
            let (run, folder) = spec.split_once(':').unwrap();
            assert!(seen.insert(run.to_owned()), "{run} twice");
            assert_eq!(
                place.path(".").join(folder).canonicalize().unwrap(),
                place.path(name).canonicalize().unwrap()
            );
        }
        assert_eq!(seen.len(), names.len());
    }
    place
        .run("view --print", &[typed("plain"), typed("com,ma")])
        .fails(2, &["com,ma", "comma"]);
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
    // Where cases are told apart, that of the first one that is called so.
    assert!(place.path("out/A_b/step_000001.png").exists());
    let ran = place
        .run("export run --out gifs --as gif", &[] as &[PathBuf])
        .ok();
    assert_eq!(ran.out(), "gifs: 4 files\n");
    assert_eq!(fs::read_dir(place.path("gifs")).unwrap().count(), 4);
}
