//! Everything that can be wrong, each with one line that names it.

use std::ffi::OsString;

use crate::program::support::{Place, Ran, events, photo, root, steps, weights};

fn narrow() -> OsString {
    format!("--weights={}", weights().display()).into()
}

fn with_photo(more: OsString) -> [OsString; 2] {
    [more, photo("chelsea.png").into_os_string()]
}

#[test]
fn images_that_are_not_there() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place
        .run("images gone.png", &[narrow()])
        .fails(1, &["gone.png"]);
    place.run("images gone/", &[narrow()]).fails(1, &["gone"]);
    place.run("images empty", &[narrow()]).fails(1, &["empty"]);
    place.run("images *.png", &[narrow()]).fails(1, &["*.png"]);
    assert!(
        !place.path("runs").exists(),
        "created before images were found"
    );
}

#[test]
fn images_that_are_none() {
    let place = Place::new();
    let whole = std::fs::read(photo("chelsea.png")).unwrap();
    place.write("cut.png", &whole[..whole.len() / 2]);
    place.write("text.png", "just some text");
    place.write("empty.png", "");
    for (at, name) in ["cut.png", "text.png", "empty.png"].iter().enumerate() {
        place
            .run(
                &format!("images {name} --run {at} --layers pool1"),
                &[narrow()],
            )
            .fails(1, &[name]);
    }
}

#[test]
fn an_image_that_cannot_be_read_can_be_skipped() {
    let place = Place::new();
    place.put(&photo("chelsea.png"), "in/a.png");
    place.write("in/b.png", "no");
    place.put(&photo("coffee.png"), "in/c.png");
    let ran = place.run(
        "images in --run a --layers pool1 --on-error skip",
        &[narrow()],
    );
    assert_eq!(ran.code(), 1, "{}", ran.err());
    assert!(
        ran.err().contains("skipped: ") && ran.err().contains("b.png"),
        "{}",
        ran.err()
    );
    assert_eq!(steps(&events(&place.path("runs/a")), "input"), [0, 2]);

    place
        .run("images in --run b --layers pool1", &[narrow()])
        .fails(1, &["b.png"]);
    assert_eq!(steps(&events(&place.path("runs/b")), "input"), [0]);

    place
        .run(
            "images in/b.png --run c --layers pool1 --on-error skip",
            &[narrow()],
        )
        .fails(1, &["nothing is left", "b.png"]);
}

#[test]
fn a_decompression_bomb() {
    let place = Place::new();
    // A PNG that claims 60000 x 60000 pixels, in a few bytes.
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        for part in [kind.as_slice(), data] {
            png.extend(part);
            crc.update(part);
        }
        png.extend(crc.finalize().to_be_bytes());
    };
    chunk(
        b"IHDR",
        &[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 2, 0, 0, 0],
    );
    chunk(b"IDAT", &[0x78, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]);
    chunk(b"IEND", &[]);
    place.write("bomb.png", png);
    place
        .run("images bomb.png --layers pool1", &[narrow()])
        .fails(1, &["bomb.png", "60000"]);
}

#[test]
fn weights_that_are_none() {
    let place = Place::new();
    place.write("page.pth", "<!DOCTYPE html><html></html>");
    place.write("empty.pth", "");
    place.write(
        "half.safetensors",
        &std::fs::read(weights()).unwrap()[..20_000],
    );
    for name in ["page.pth", "empty.pth", "half.safetensors", "gone.pth"] {
        place
            .run(
                "images --run a --layers pool1",
                &with_photo(format!("--weights={name}").into()),
            )
            .fails(1, &[name]);
        assert!(
            !place.path("runs/a").exists(),
            "created before weights were open"
        );
    }
}

#[test]
fn weights_of_another_network() {
    let place = Place::new();
    place
        .run("images --run a --arch vgg19", &with_photo(narrow()))
        .fails(1, &["vgg16.weights.safetensors", "--arch vgg16"]);
}

#[test]
fn published_weights_offline() {
    let place = Place::new();
    let ran = place.run_with(
        "images --weights imagenet --run a",
        &[photo("chelsea.png")],
        // Nothing listens on the discard port.
        |command| {
            command.env("VGGSCOPE_WEIGHTS_URL", "http://127.0.0.1:9/models");
        },
    );
    ran.fails(
        1,
        &[
            "vgg16-397923af.pth",
            ".cache/torch/hub/checkpoints",
            "--weights FILE",
        ],
    );
}

#[test]
fn devices_that_are_not_there() {
    let place = Place::new();
    let ran = place.run("images --device gpu", &with_photo(narrow()));
    assert_eq!(ran.code(), 2);
    assert!(ran.err().contains("libtorch:cpu"), "{}", ran.err());
    place
        .run("images --device libtorch:cuda:99", &with_photo(narrow()))
        .fails(1, &["libtorch:cuda:99"]);
    if !cfg!(feature = "libtorch") {
        place
            .run("images --device cpu", &with_photo(narrow()))
            .fails(1, &["built without"]);
    }
}

#[test]
fn layers_that_are_not_there() {
    let place = Place::new();
    place
        .run("images --layers conv3_9", &with_photo(narrow()))
        .fails(2, &["conv3_9", "vgg16 has conv3_1 to conv3_3"]);
    place
        .run("images --layers !all", &with_photo(narrow()))
        .fails(2, &["leaves no layer"]);
    assert!(
        !place.path("runs").exists(),
        "created before layers were known"
    );
}

#[test]
fn inputs_that_are_too_small() {
    let place = Place::new();
    place
        .run("images --crop 16 --resize 16", &with_photo(narrow()))
        .fails(2, &["pool5", "--crop"]);
    place
        .run(
            "images --crop off --resize 16 --run a",
            &with_photo(narrow()),
        )
        .fails(1, &["chelsea.png", "pool5"]);
}

#[cfg(unix)]
#[test]
fn log_folders_that_cannot_be_written() {
    let place = Place::new();
    place.write("file", "");
    place
        .run("images --logdir file --layers pool1", &with_photo(narrow()))
        .fails(1, &["file"]);
    place
        .run(
            "images --logdir /proc --run a --layers pool1",
            &with_photo(narrow()),
        )
        .fails(1, &["/proc/a"]);
    place
        .run(
            "images --run ../outside --layers pool1",
            &with_photo(narrow()),
        )
        .fails(2, &["--run", "inside the log folder"]);
}

/// Threads are counted by user, and none for the administrator, so the program runs as nobody then.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_cannot_be_started() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::process::Command;

    let place = Place::new();
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(place.path(""), everybody).unwrap();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let photo = photo("chelsea.png");
    let mut failed = 0;
    for limit in [1, 3, 5, 7, 9, 11, 13] {
        let line = format!("images --run {limit} --layers conv1_1 --resize 32 --crop 32");
        let program = place.command(&line, &[narrow(), photo.clone().into()]);
        let mut words: Vec<OsString> = nobody.split(' ').map(OsString::from).collect();
        words.truncate(if is_root { words.len() } else { 0 });
        words.extend(["bash", "-c"].map(OsString::from));
        words.push(format!("ulimit -u {limit}; exec \"$@\"").into());
        words.extend(["bash".into(), program.get_program().to_owned()]);
        words.extend(program.get_args().map(ToOwned::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(place.path(""));
        // Not in the book: which thread is the one too many is chance.
        let ran = Ran(command.env("HOME", place.path("")).output().unwrap());
        if ran.code() == 126 {
            // Nobody may not read the program.
            return;
        }
        if ran.code() != 0 {
            failed += 1;
            // libgomp has words of its own, and may say them in between.
            let err = ran.err();
            assert_eq!(ran.code(), 1, "{err}");
            assert!(err.to_lowercase().contains("thread"), "{err}");
            assert!(!err.contains("please report"), "{err}");
        }
    }
    assert!(failed > 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output() {
    let place = Place::new();
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for line in [
        "layers",
        "--help",
        "images --help",
        "images --run a --layers conv1_1",
    ] {
        let mut command = if line.contains("--run") {
            place.command(line, &with_photo(narrow()))
        } else {
            place.command(line, &[] as &[&str])
        };
        let command = command.stdout(full()).stderr(std::process::Stdio::piped());
        let ended = command.spawn().unwrap().wait_with_output().unwrap();
        Ran::of(ended).fails(1, &["cannot write to the standard output"]);
    }
    assert_eq!(steps(&events(&place.path("runs/a")), "input"), [0]);
}

/// What a terminal would obey is escaped.
#[cfg(unix)]
#[test]
fn control_characters_in_names() {
    let place = Place::new();
    let name = "a\u{1b}[31m\u{7}.png";
    place.write(name, "no image");
    let args = [narrow(), name.into()];
    let ran = place.run("images --run a --layers conv1_1", &args);
    ran.fails(1, &["a\\u{1b}[31m\\u{7}.png"]);
    place.put(&photo("chelsea.png"), name);
    let ran = place.run("images --run a --layers conv1_1", &args).ok();
    assert!(ran.err().contains("\\u{1b}[31m"), "{}", ran.err());
    let ran = place.run("inspect runs/a", &[] as &[&str]).ok();
    assert!(!format!("{}{}", ran.out(), ran.err()).contains('\u{1b}'));
}

#[test]
fn checkpoints_that_are_not_there() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    let probe = [
        OsString::from("--images"),
        photo("chelsea.png").into_os_string(),
    ];
    place.run("checkpoints gone", &probe).fails(1, &["gone"]);
    place.run("checkpoints empty", &probe).fails(1, &["empty"]);
    place.put(&weights(), "c/last.safetensors");
    place.put(&weights(), "c/best.safetensors");
    place
        .run("checkpoints c", &probe)
        .fails(1, &["best.safetensors, last.safetensors", "--step index"]);
    place.put(&weights(), "d/a_1.safetensors");
    place.put(&weights(), "d/b_1.safetensors");
    place
        .run("checkpoints d", &probe)
        .fails(1, &["a_1", "b_1", "--step index"]);
    let ran = place.run("checkpoints d --step epoch_(", &probe);
    assert_eq!(ran.code(), 2, "{}", ran.err());
    let expected = "no regular expression: unclosed group\n";
    assert!(ran.err().contains(expected), "{}", ran.err());
    place
        .run("checkpoints d", &["--images", "gone.png"])
        .fails(1, &["gone.png"]);
}

#[test]
fn evil_pickles_are_refused_and_never_run() {
    let fixtures = root().join("tests/fixtures/weights");
    let evil: Vec<_> = std::fs::read_dir(&fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains("evil"))
        .collect();
    assert!(!evil.is_empty());
    for path in evil {
        let place = Place::new();
        let weights = format!("--weights={}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        place
            .run("images --layers pool1", &with_photo(weights.into()))
            .fails(1, &[&name, "nothing was run"]);
        let made = std::fs::read_dir(place.path("")).unwrap();
        let made = made.map(|entry| entry.unwrap().file_name());
        // CUDA keeps a cache there.
        let made: Vec<_> = made.filter(|name| name != ".nv").collect();
        assert!(made.is_empty(), "it ran: {made:?}");
    }
}
