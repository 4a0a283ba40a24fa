//! Data sets and batches of folders made for the test; augmentation against torchvision on Pillow.
//!
//! Fixtures: `tests/fixtures/dataset/make_augment.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tempfile::TempDir;
use vggscope::dataset::augment::{Adjustment, ColourJitter, Drawn, RandomResizedCrop};
use vggscope::dataset::{
    Augment, Batch, Dataset, DatasetError, Loader, LoaderError, OnUnreadable, Plan, Position,
    Recipe, Sample, Split, Work,
};
use vggscope::input::Picture;
use vggscope::input::decode::decode;
use vggscope::input::transform::{CropBox, Preprocess, Preset};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/dataset")
        .join(name)
}

fn n(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

// Opening ----------------------------------------------------------------------------------------

const SPLIT: Split = Split {
    fraction: 0.25,
    seed: 1,
};

fn folder_of(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        write(folder.path(), name, b"");
    }
    folder
}

fn listed(samples: &[Sample], root: &Path) -> Vec<(String, usize)> {
    let relative = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    samples
        .iter()
        .map(|sample| (relative(&sample.path), sample.class))
        .collect()
}

fn owned(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected
        .iter()
        .map(|&(path, class)| (path.to_owned(), class))
        .collect()
}

#[test]
fn train_and_val_folders_are_taken_as_they_are() {
    let folder = folder_of(&[
        "train/class10/a.png",
        "train/class2/img10.JPG",
        "train/class2/img9.jpeg",
        "train/class2/deep/er/b.webp",
        "train/class2/.hidden.png",
        "train/class2/notes.txt",
        "train/.cache/x.png",
        "train/README.png",
        "val/class2/v.png",
        "val/class10/w.png",
        "test/class3/x.png",
    ]);
    let dataset = Dataset::open(folder.path(), SPLIT).unwrap();
    assert_eq!(dataset.classes, ["class2", "class10"]);
    assert_eq!(
        listed(&dataset.train, folder.path()),
        owned(&[
            ("train/class2/deep/er/b.webp", 0),
            ("train/class2/img9.jpeg", 0),
            ("train/class2/img10.JPG", 0),
            ("train/class10/a.png", 1),
        ])
    );
    assert_eq!(
        listed(&dataset.val, folder.path()),
        owned(&[("val/class2/v.png", 0), ("val/class10/w.png", 1)])
    );
}

#[test]
fn one_folder_is_split_class_by_class() {
    let mut names: Vec<String> = (0..40).map(|i| format!("cat/{i}.png")).collect();
    names.extend((0..3).map(|i| format!("train/{i}.png")));
    names.push("owl/0.png".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let folder = folder_of(&names);
    let dataset = Dataset::open(folder.path(), SPLIT).unwrap();
    // `train` holds images and has no `val` beside it: a class of its own.
    assert_eq!(dataset.classes, ["cat", "owl", "train"]);
    let count = |samples: &[Sample]| {
        [0, 1, 2].map(|class| samples.iter().filter(|s| s.class == class).count())
    };
    assert_eq!(count(&dataset.train), [30, 1, 2]);
    assert_eq!(count(&dataset.val), [10, 0, 1]);
    let mut all = listed(&dataset.train, folder.path());
    all.extend(listed(&dataset.val, folder.path()));
    all.sort();
    let mut expected: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    expected.sort();
    assert_eq!(
        all.into_iter().map(|(path, _)| path).collect::<Vec<_>>(),
        expected
    );

    assert_eq!(Dataset::open(folder.path(), SPLIT).unwrap(), dataset);
    let other = Split { seed: 2, ..SPLIT };
    assert_ne!(
        Dataset::open(folder.path(), other).unwrap().val,
        dataset.val
    );
}

#[cfg(unix)]
#[test]
fn links_to_classes_and_images_are_followed() {
    let elsewhere = folder_of(&["dogs/a.png", "dogs/b.png", "c.png"]);
    let folder = folder_of(&["cats/a.png", "cats/b.png"]);
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(elsewhere.path().join(to), folder.path().join(name)).unwrap();
    };
    link("dogs", "dogs");
    link("c.png", "cats/c.png");
    let dataset = Dataset::open(folder.path(), SPLIT).unwrap();
    assert_eq!(dataset.classes, ["cats", "dogs"]);
    assert_eq!(dataset.train.len() + dataset.val.len(), 5);
}

/// The error of a data set made of these files, and its text without the folder's own path.
fn refused(names: &[&str]) -> (DatasetError, String) {
    let folder = folder_of(names);
    let error = Dataset::open(folder.path(), SPLIT).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    let root = folder.path().display().to_string();
    assert!(text.contains(&root), "{text}");
    let text = text.replace(&root, "DATA");
    (error, text)
}

#[test]
fn what_is_no_data_set_says_what_is_expected() {
    let (error, text) = refused(&["notes.txt"]);
    assert!(matches!(error, DatasetError::NoClasses { .. }), "{error:?}");
    assert!(text.contains("CLASS/*.jpg, or train/CLASS/*.jpg"), "{text}");

    let (error, text) = refused(&["a.png", "b.jpg", "notes.txt"]);
    let DatasetError::ImagesDirectly { images: 2, .. } = error else {
        panic!("{error:?}");
    };
    assert!(
        text.starts_with("DATA: its 2 images lie directly in it"),
        "{text}"
    );

    let (error, text) = refused(&["cats/a.png"]);
    assert!(matches!(error, DatasetError::OneClass { .. }), "{error:?}");
    assert!(
        text.starts_with("DATA/cats: the only class folder"),
        "{text}"
    );

    let (error, text) = refused(&["cats/a.png", "dogs/notes.txt"]);
    assert!(
        matches!(error, DatasetError::EmptyClass { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/dogs: no image"), "{text}");

    let (error, text) = refused(&["cats/a.png", "dogs/b.png"]);
    assert!(
        matches!(error, DatasetError::NothingToSplit { .. }),
        "{error:?}"
    );
    assert!(text.contains("single image"), "{text}");
}

#[test]
fn parts_that_do_not_fit_each_other_are_named() {
    let both = ["train/cats/a.png", "train/dogs/a.png", "val/cats/a.png"];
    let (error, text) = refused(&both);
    assert!(matches!(error, DatasetError::NotInVal { .. }), "{error:?}");
    assert!(
        text.starts_with("DATA/train/dogs: no images to validate"),
        "{text}"
    );
    assert!(text.contains("DATA/val/dogs"), "{text}");

    let (error, text) = refused(&[&both[..], &["val/dogs/a.png", "val/owls/a.png"]].concat());
    assert!(
        matches!(error, DatasetError::NotInTrain { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/val/owls: "), "{text}");

    let (error, text) = refused(&[&both[..], &["val/dogs/notes.txt"]].concat());
    assert!(
        matches!(error, DatasetError::EmptyClass { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/val/dogs: "), "{text}");

    let (error, text) = refused(&["train/cats/a.png", "train/dogs/a.png", "valid/cats/a.png"]);
    assert!(matches!(error, DatasetError::LonePart { .. }), "{error:?}");
    assert!(
        text.starts_with("DATA/train: expected DATA/val beside it, found valid; make it"),
        "{text}"
    );
    let (_, text) = refused(&["val/cats/a.png", "val/dogs/a.png"]);
    assert!(
        text.starts_with("DATA/val: expected DATA/train beside it; make it"),
        "{text}"
    );

    let (error, text) = refused(&["train/a.png", "val/b.png"]);
    assert!(
        matches!(error, DatasetError::ImagesDirectly { .. }),
        "{error:?}"
    );
    assert!(text.starts_with("DATA/train: "), "{text}");
}

#[test]
fn paths_and_shares_that_cannot_be() {
    let folder = folder_of(&["a/1.png", "b/1.png", "a/2.png", "b/2.png"]);
    let open = |path: &str| Dataset::open(&folder.path().join(path), SPLIT).unwrap_err();
    assert!(matches!(open("nowhere"), DatasetError::Missing { .. }));
    assert!(matches!(open("a/1.png"), DatasetError::NotAFolder { .. }));
    for fraction in [0.0, 1.0, -0.5, f64::NAN] {
        let error = Dataset::open(folder.path(), Split { fraction, seed: 0 }).unwrap_err();
        assert!(
            matches!(error, DatasetError::Fraction { .. }),
            "{fraction}: {error}"
        );
    }
}

// Augmentation -----------------------------------------------------------------------------------

/// A binary PPM (P6), as Pillow writes it: three header lines, then the pixels.
fn ppm(name: &str) -> Picture {
    let bytes = fs::read(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    assert_eq!(lines.next(), Some(&b"P6"[..]), "{name}");
    let size = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let (width, height) = size.split_once(' ').unwrap();
    assert_eq!(lines.next(), Some(&b"255"[..]));
    let pixels = lines.next().unwrap().to_vec();
    Picture::new(width.parse().unwrap(), height.parse().unwrap(), pixels).unwrap()
}

fn sources() -> [(&'static str, Picture); 2] {
    ["photo", "noise"].map(|name| (name, decode(&fixture(&format!("{name}.png"))).unwrap()))
}

fn augment(size: u32) -> Augment {
    Augment::torchvision(n(size))
}

#[test]
fn adjustments_equal_torchvision() {
    type Make = fn(f64) -> Adjustment;
    let cases: [(&str, Make, &[f64]); 4] = [
        ("brightness", Adjustment::Brightness, &[0.0, 0.6, 1.37]),
        ("contrast", Adjustment::Contrast, &[0.0, 0.45, 1.8]),
        ("saturation", Adjustment::Saturation, &[0.0, 0.3, 1.0, 2.1]),
        ("hue", Adjustment::Hue, &[-0.5, -0.13, 0.02, 0.5]),
    ];
    for (source, picture) in sources() {
        for (what, make, factors) in cases {
            for &factor in factors {
                let name = format!("{source}_{what}_{factor:?}.ppm");
                let mut found = picture.clone();
                make(factor).apply(&mut found);
                assert!(found == ppm(&name), "{name}");
            }
        }
    }
}

#[test]
fn crops_equal_torchvision() {
    let cases = [
        (3, 5, 16, 20, 12),
        (0, 0, 24, 32, 24),
        (7, 9, 9, 6, 20),
        (10, 2, 1, 1, 5),
        (2, 4, 11, 11, 11),
    ];
    for (source, picture) in sources() {
        for (top, left, height, width, size) in cases {
            let name = format!("{source}_crop_{top}_{left}_{height}_{width}_{size}.ppm");
            let drawn = Drawn {
                crop: CropBox {
                    top,
                    left,
                    height,
                    width,
                },
                flip: false,
                adjustments: Vec::new(),
            };
            let found = augment(size).apply(&picture, &drawn).unwrap();
            let expected = ppm(&name);
            assert_eq!(
                (found.width(), found.height()),
                (size as usize, size as usize)
            );
            let pairs = found.pixels().iter().zip(expected.pixels());
            let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            // Only scaling may round.
            let allowed = u8::from((height, width) != (size as usize, size as usize));
            assert!(largest <= allowed, "{name}: {largest}");
        }
    }
    let outside = Drawn {
        crop: CropBox {
            top: 20,
            left: 0,
            height: 5,
            width: 1,
        },
        flip: false,
        adjustments: Vec::new(),
    };
    let error = augment(4).apply(&sources()[0].1, &outside).unwrap_err();
    assert!(
        error.to_string().contains("1 x 5 pixels at (0, 20)"),
        "{error}"
    );
}

#[test]
fn crop_flip_and_colours_together_equal_torchvision() {
    use Adjustment::{Brightness, Contrast, Hue, Saturation};
    let chains = [
        (
            "bcsh",
            [Brightness(1.2), Contrast(0.7), Saturation(1.5), Hue(0.08)],
        ),
        (
            "hscb",
            [Hue(-0.1), Saturation(0.6), Contrast(1.4), Brightness(0.8)],
        ),
    ];
    for (source, picture) in sources() {
        for (what, adjustments) in &chains {
            let drawn = Drawn {
                crop: CropBox {
                    top: 2,
                    left: 4,
                    height: 11,
                    width: 11,
                },
                flip: true,
                adjustments: adjustments.to_vec(),
            };
            let found = augment(11).apply(&picture, &drawn).unwrap();
            assert!(
                found == ppm(&format!("{source}_{what}.ppm")),
                "{source} {what}"
            );
        }
    }
}

fn numbers(line: &str) -> Vec<f64> {
    line.split(' ').map(|word| word.parse().unwrap()).collect()
}

fn crop(scale: (f64, f64), ratio: (f64, f64)) -> RandomResizedCrop {
    RandomResizedCrop {
        size: n(8),
        scale,
        ratio,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[expect(clippy::cast_precision_loss, reason = "small whole numbers")]
fn float(number: usize) -> f64 {
    number as f64
}

#[test]
fn the_box_in_the_middle_is_torchvisions() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let lines = fs::read_to_string(fixture("middle.txt")).unwrap();
    assert_eq!(lines.lines().count(), 24);
    for line in lines.lines() {
        let values = numbers(line);
        let [width, height, top, left, tall, wide] = [0, 1, 4, 5, 6, 7].map(|at| whole(values[at]));
        let expected = CropBox {
            top,
            left,
            height: tall,
            width: wide,
        };
        let crop = crop((9.0, 9.0), (values[2], values[3]));
        assert_eq!(crop.draw(width, height, &mut rng), expected, "{line}");
    }
    // A row is cut to a fifth of a pixel: at least one is left.
    let drawn = crop((9.0, 9.0), (0.1, 0.2)).draw(50, 1, &mut rng);
    assert_eq!((drawn.width, drawn.height), (1, 1));
}

#[test]
fn boxes_are_distributed_as_torchvisions() {
    const DRAWS: usize = 100_000;
    let lines = fs::read_to_string(fixture("boxes.txt")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let values = numbers(line);
        let (width, height) = (values[0], values[1]);
        let crop = crop((values[2], values[3]), (values[4], values[5]));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sums = [0.0; 6];
        for _ in 0..DRAWS {
            let drawn = crop.draw(whole(width), whole(height), &mut rng);
            let [top, tall, wide] = [drawn.top, drawn.height, drawn.width].map(float);
            let area = tall * wide / (width * height);
            let ratio = (wide / tall).ln();
            let middle = (top + tall / 2.0) / height;
            let of_box = [
                area,
                area * area,
                ratio,
                ratio * ratio,
                middle,
                middle * middle,
            ];
            sums.iter_mut()
                .zip(of_box)
                .for_each(|(sum, value)| *sum += value);
        }
        // The means of 100,000 and of 200,000 boxes lie within 0.001 of each other by chance.
        for (sum, expected) in sums.iter().zip(&values[6..]) {
            let mean = sum / float(DRAWS);
            assert!(
                (mean - expected).abs() < 0.004,
                "{line}: {mean} instead of {expected}"
            );
        }
    }
}

// Batches ----------------------------------------------------------------------------------------

/// Ten pictures in three classes, of different sizes and colours, as PNG files.
struct Pictures {
    folder: TempDir,
    samples: Vec<Sample>,
}

fn pictures() -> Pictures {
    let folder = TempDir::new().unwrap();
    let samples = (0..10_u8)
        .map(|number| {
            let path = folder.path().join(format!("{number}.png"));
            let (width, height) = (12 + u32::from(number), 20 - u32::from(number));
            let pixels: Vec<u8> = (0..width * height * 3)
                .map(|at| (at * (7 + u32::from(number)) % 256).to_le_bytes()[0])
                .collect();
            let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), width, height);
            encoder.set_color(png::ColorType::Rgb);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&pixels).unwrap();
            writer.finish().unwrap();
            Sample {
                path,
                class: usize::from(number) % 3,
            }
        })
        .collect();
    Pictures { folder, samples }
}

fn eval() -> Preprocess {
    Preprocess {
        resize: Some(n(10)),
        crop: Some(n(8)),
        ..Preset::Imagenet.preprocess()
    }
}

fn recipe() -> Recipe {
    let jitter = ColourJitter {
        brightness: 0.4,
        contrast: 0.4,
        saturation: 0.4,
        hue: 0.1,
    };
    Recipe {
        augment: Some(Augment {
            jitter,
            ..augment(8)
        }),
        eval: eval(),
    }
}

fn plan() -> Plan {
    Plan {
        batch: NonZeroUsize::new(4).unwrap(),
        drop_last: false,
        seed: 3,
        epochs: 4,
    }
}

fn work(threads: usize, on_unreadable: OnUnreadable) -> Work {
    Work {
        threads: NonZeroUsize::new(threads).unwrap(),
        on_unreadable,
    }
}

fn trained(samples: &[Sample], plan: Plan, from: Position, threads: usize) -> Vec<Batch> {
    let work = work(threads, OnUnreadable::Stop);
    Loader::train(samples, &recipe(), plan, from, work)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn training_is_the_same_with_any_number_of_threads() {
    let pictures = pictures();
    let batches = trained(&pictures.samples, plan(), Position::default(), 1);
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.labels.len()).collect();
    assert_eq!(sizes, [4, 4, 2].repeat(4));
    for threads in [2, 5] {
        let others = trained(&pictures.samples, plan(), Position::default(), threads);
        assert!(batches == others, "{threads} threads");
    }
    for epoch in batches.chunks(3) {
        let mut seen: Vec<usize> = epoch.iter().flat_map(|b| b.samples.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
    for batch in &batches {
        assert_eq!((batch.height, batch.width), (8, 8));
        assert_eq!(batch.pixels.len(), batch.labels.len() * 8 * 8 * 3);
        let normalise = eval().normalise;
        let pixels: Vec<f32> = batch
            .pictures
            .iter()
            .flat_map(|p| normalise.apply(p))
            .collect();
        assert_eq!(batch.pixels, pixels);
        let labels: Vec<usize> = batch.samples.iter().map(|sample| sample % 3).collect();
        assert_eq!(batch.labels, labels);
    }
}

#[test]
fn each_epoch_augments_anew_and_as_the_recipe_says() {
    let pictures = pictures();
    let batches = trained(&pictures.samples, plan(), Position::default(), 2);
    let mut of_first = Vec::new();
    for batch in &batches {
        for (picture, &sample) in batch.pictures.iter().zip(&batch.samples) {
            let decoded = decode(&pictures.samples[sample].path).unwrap();
            let expected = recipe().train_picture(&decoded, 3, batch.at.epoch, sample);
            assert!(*picture == expected.unwrap());
            if sample == 0 {
                of_first.push(picture.clone());
            }
        }
    }
    assert_eq!(of_first.len(), 4);
    for (place, picture) in of_first.iter().enumerate() {
        assert!(!of_first[..place].contains(picture), "epoch {place}");
    }
}

#[test]
fn a_run_goes_on_where_it_stopped() {
    let pictures = pictures();
    for drop_last in [false, true] {
        let plan = Plan {
            drop_last,
            ..plan()
        };
        let whole = trained(&pictures.samples, plan, Position::default(), 2);
        assert_eq!(whole.len(), if drop_last { 8 } else { 12 });
        for stopped in 0..whole.len() {
            // What was prepared ahead of the stop is lost with the loader.
            let work = work(3, OnUnreadable::Stop);
            let from = Position::default();
            let mut first = Loader::train(&pictures.samples, &recipe(), plan, from, work).unwrap();
            let begun: Vec<Batch> = first.by_ref().take(stopped).map(Result::unwrap).collect();
            drop(first);
            let position = begun.last().map_or(from, |batch| batch.position);
            let rest = trained(&pictures.samples, plan, position, 1);
            assert!([begun, rest].concat() == whole, "stopped after {stopped}");
        }
        let end = whole.last().unwrap().position;
        assert_eq!(end, Position { epoch: 4, batch: 0 });
        assert!(trained(&pictures.samples, plan, end, 1).is_empty());
    }
}

#[test]
fn without_augmentation_training_sees_what_evaluation_sees() {
    let pictures = pictures();
    let recipe = Recipe {
        augment: None,
        eval: eval(),
    };
    let work = work(2, OnUnreadable::Stop);
    let from = Position::default();
    let train = Loader::train(&pictures.samples, &recipe, plan(), from, work).unwrap();
    for batch in train.map(Result::unwrap) {
        for (picture, &sample) in batch.pictures.iter().zip(&batch.samples) {
            let decoded = decode(&pictures.samples[sample].path).unwrap();
            assert!(*picture == eval().picture(&decoded).unwrap());
        }
    }
}

fn evaluated(samples: &[Sample], batch: usize, work: Work) -> Loader {
    Loader::eval(samples, &eval(), NonZeroUsize::new(batch).unwrap(), work).unwrap()
}

#[test]
fn evaluation_is_once_through_in_order_whatever_the_batch() {
    let pictures = pictures();
    let expected: Vec<Picture> = pictures
        .samples
        .iter()
        .map(|sample| eval().picture(&decode(&sample.path).unwrap()).unwrap())
        .collect();
    for (batch, threads) in [(1, 1), (4, 2), (10, 5), (100, 2)] {
        let loader = evaluated(&pictures.samples, batch, work(threads, OnUnreadable::Stop));
        let batches: Vec<Batch> = loader.map(Result::unwrap).collect();
        assert_eq!(batches.len(), 10_usize.div_ceil(batch));
        let seen: Vec<Picture> = batches.iter().flat_map(|b| b.pictures.clone()).collect();
        assert!(seen == expected, "batches of {batch}");
        let order: Vec<usize> = batches.iter().flat_map(|b| b.samples.clone()).collect();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        let pixels: Vec<f32> = batches.iter().flat_map(|b| b.pixels.clone()).collect();
        let normalise = eval().normalise;
        assert!(
            pixels
                == expected
                    .iter()
                    .flat_map(|p| normalise.apply(p))
                    .collect::<Vec<_>>()
        );
    }
}

#[test]
fn an_unreadable_image_stops_or_is_left_out() {
    let pictures = pictures();
    for broken in [4, 5, 9] {
        write(
            pictures.folder.path(),
            &format!("{broken}.png"),
            b"no picture",
        );
    }
    let mut stopping = evaluated(&pictures.samples, 2, work(2, OnUnreadable::Stop));
    assert_eq!(stopping.next().unwrap().unwrap().samples, [0, 1]);
    assert_eq!(stopping.next().unwrap().unwrap().samples, [2, 3]);
    let error = stopping.next().unwrap().unwrap_err();
    assert!(matches!(error, LoaderError::Image(_)), "{error:?}");
    assert!(
        error.to_string().contains("4.png: this is not an image"),
        "{error}"
    );
    assert!(stopping.next().is_none());

    // 4 and 5 are a batch of which nothing is left; nothing comes after 9.
    let mut skipping = evaluated(&pictures.samples[..10], 2, work(2, OnUnreadable::Skip));
    let batches: Vec<Batch> = skipping.by_ref().map(Result::unwrap).collect();
    let samples: Vec<&[usize]> = batches.iter().map(|b| b.samples.as_slice()).collect();
    assert_eq!(samples, [&[0, 1][..], &[2, 3], &[6, 7], &[8]]);
    let reports: Vec<usize> = batches.iter().map(|batch| batch.skipped.len()).collect();
    assert_eq!(reports, [0, 0, 2, 1]);
    assert!(batches[2].skipped[0].contains("4.png: this is not an image"));
    assert_eq!(batches[3].position, Position { epoch: 1, batch: 0 });
    assert_eq!(skipping.skipped_at_end(), Vec::<String>::new());

    // A last batch of which nothing is left: its reports come after the end.
    let mut skipping = evaluated(&pictures.samples[..6], 2, work(2, OnUnreadable::Skip));
    assert_eq!(skipping.by_ref().map(Result::unwrap).count(), 2);
    assert_eq!(skipping.skipped_at_end().len(), 2);
}

#[test]
fn every_unreadable_image_is_reported_once_in_training() {
    let pictures = pictures();
    write(pictures.folder.path(), "7.png", b"no picture");
    let (from, work) = (Position::default(), work(2, OnUnreadable::Skip));
    let loader = Loader::train(&pictures.samples, &recipe(), plan(), from, work).unwrap();
    let batches: Vec<Batch> = loader.map(Result::unwrap).collect();
    let seen: usize = batches.iter().map(|batch| batch.samples.len()).sum();
    assert_eq!(seen, 4 * 9);
    assert!(batches.iter().all(|batch| !batch.samples.contains(&7)));
    let reports: Vec<&String> = batches.iter().flat_map(|batch| &batch.skipped).collect();
    assert_eq!(reports.len(), 1, "{reports:?}");
}

#[test]
fn a_data_set_without_any_readable_image_is_an_error_and_no_endless_search() {
    let pictures = pictures();
    for number in 0..10 {
        write(pictures.folder.path(), &format!("{number}.png"), b"");
    }
    let forever = Plan {
        epochs: u64::MAX,
        ..plan()
    };
    let (from, work) = (Position { epoch: 1, batch: 2 }, work(2, OnUnreadable::Skip));
    let mut loader = Loader::train(&pictures.samples, &recipe(), forever, from, work).unwrap();
    let error = loader.next().unwrap().unwrap_err();
    let LoaderError::NothingReadable { first } = &error else {
        panic!("{error:?}");
    };
    assert!(
        first.contains(".png: this is not an image: it is empty"),
        "{first}"
    );
    assert_eq!(loader.skipped_at_end().len(), 10);
    let error = evaluated(&pictures.samples, 3, work)
        .next()
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, LoaderError::NothingReadable { .. }));
}

#[test]
fn pictures_of_different_sizes_make_no_batch() {
    let pictures = pictures();
    let preprocess = Preprocess {
        resize: None,
        crop: None,
        ..eval()
    };
    let (batch, work) = (NonZeroUsize::new(2).unwrap(), work(2, OnUnreadable::Skip));
    let mut loader = Loader::eval(&pictures.samples, &preprocess, batch, work).unwrap();
    let error = loader.next().unwrap().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("1.png: 13 x 19 pixels") && text.contains("12 x 20 for"),
        "{text}"
    );
    // One at a time they may have any size.
    let one = Loader::eval(&pictures.samples, &preprocess, NonZeroUsize::MIN, work).unwrap();
    assert!(one.map(Result::unwrap).map(|batch| batch.width).eq(12..22));
}
