//! What the program says, a page a command: `tests/all/messages/`. `make messages` writes the pages again.

use std::fmt::Write as _;
use std::fs;

use regex::{Captures, Regex};

use super::support::{Place, photo, root, weights};

mod downloads;
mod files;
mod summary;

/// A page: commands, what they print, and their exit codes. Paths begin at the folder in which they run.
struct Page {
    place: Place,
    text: String,
    /// Where weights are downloaded from.
    weights_url: Option<String>,
}

impl Page {
    /// A folder with runs, weights, images and checkpoints, as people have them.
    fn new() -> Self {
        let place = super::mistyped::place();
        place.write("text.png", "just some text");
        place.write("empty/.keep", "");
        let cut = &fs::read(photo("chelsea.png")).unwrap()[..5000];
        place.write("cut.png", cut);
        place.write("stored.zip", b"PK\x03\x04 and so on");
        place.write("empty.png", "");
        // A header of 60,000 x 60,000 pixels.
        let header = [b"P6 60000 60000 255\n".as_slice(), &[0; 64]].concat();
        place.write("huge.png", header);
        place.write(
            "page.pth",
            "<!DOCTYPE html><html><body>Sign in</body></html>",
        );
        place.write("notes.pth", "lr 0.1, then 0.01");
        let half = fs::read(weights()).unwrap();
        place.write("half.safetensors", &half[..half.len() / 2]);
        std::os::unix::fs::symlink("loop.png", place.path("loop.png")).unwrap();
        place.put(&weights(), "nameless");
        place.put(
            &root().join("photos/vgg16_to_pool2.safetensors"),
            "first.safetensors",
        );
        for folder in [
            "crops",
            "weights",
            "read_back",
            "similarity",
            "pt2",
            "input",
        ] {
            let to = root().join("tests/fixtures").join(folder);
            std::os::unix::fs::symlink(to, place.path(folder)).unwrap();
        }
        Self {
            place,
            text: String::new(),
            weights_url: None,
        }
    }

    /// Runs a command, and adds what it said.
    fn say(&mut self, line: &str) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let ran = self.place.run_with(&line, &[""; 0], |command| {
            command.envs(
                self.weights_url
                    .iter()
                    .map(|url| ("VGGSCOPE_WEIGHTS_URL", url)),
            );
        });
        let said = format!("{}{}", ran.out(), ran.err());
        let errors = said.lines().filter(|line| line.starts_with("error: "));
        assert!(errors.count() <= 1, "{line}: {said}");
        assert!(!said.contains("panicked"), "{line}: {said}");
        let code = match ran.code() {
            0 => String::new(),
            code => format!("[exit code {code}]\n"),
        };
        let said = said.trim_end();
        let _ = write!(self.text, "$ vggscope {line}\n{said}\n{code}\n");
    }

    /// Runs commands, a line each.
    fn say_all(&mut self, lines: &str) {
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            self.say(line);
        }
    }

    /// Compares the page with the one that is kept.
    #[track_caller]
    fn is(self, name: &str) {
        let folder = self.place.path("");
        let mut text = self.text;
        // As typed and without links, as macOS has its temporary folder.
        for folder in [folder.canonicalize().unwrap(), folder] {
            text = text.replace(&format!("{}/", folder.display()), "");
        }
        for (pattern, word) in [
            (r"events\.out\.tfevents\.[\w.-]+", "EVENTS"),
            (r"\d+(\.\d+)? (B|KiB|MiB)\b", "SIZE"),
            (r" \(os error \d+\)", ""),
            (r"127\.0\.0\.1:\d+", "HOST"),
            // Progress, as far as there is time for it.
            (
                r"(?m)^(step \d+(/\d+)? |.*  \d+ \w+ left  |waiting for the first complete checkpoint$).*\n",
                "",
            ),
            // Each line of `weights.snap` has the same layer.
            (r"(?m)^index .*\n    0  conv1_1 .*\n", ""),
        ] {
            text = Regex::new(pattern)
                .unwrap()
                .replace_all(&text, word)
                .into_owned();
        }
        // What a training comes to differs by a processor's last digits.
        let result =
            Regex::new(r"(?m)^(best validation|changed most|an optimization|error: step).*")
                .unwrap();
        let number = Regex::new(r"\d+\.\d+(e\d+)?").unwrap();
        text = result
            .replace_all(&text, |line: &Captures<'_>| {
                number.replace_all(&line[0], "#").into_owned()
            })
            .into_owned();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../messages");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

#[test]
fn of_images() {
    let mut page = Page::new();
    page.say_all(
        "images probes --weights vgg16.pth --layers conv1_1,pool1 --run a
        images probes --weights vgg16.pth --layers conv1_1 --run a
        images
        images gone.png
        images probs
        images Probes/cat.png
        images *.tif
        images empty
        images text.png --weights vgg16.pth --layers conv1_1 --run b
        images cut.png --weights vgg16.pth --layers conv1_1 --run b
        images stored.zip
        images nameless
        images text.png probes --weights vgg16.pth --layers conv1_1 --run skipped --on-error skip
        images text.png --weights vgg16.pth --layers conv1_1 --run c --on-error skip
        images input/decode/cmyk.tif --weights vgg16.pth --layers conv1_1 --run b
        images input/decode/rle8.bmp --weights vgg16.pth --layers conv1_1 --run b
        images vgg16.pth
        images ckpts
        images https://example.org/cat.png
        images probes --weights vgg16.pht --layers conv1_1
        images probes --weights probes/cat.png --layers conv1_1
        images probes --weights vgg16.pth --arch vgg19
        images probes --weights vgg16.pth --layers !all
        images probes --weights vgg16.pth --crop 16 --resize 16
        images probes --weights vgg16.pth --crop off --resize 16 --run d
        images probes --weights vgg16.pth --layers conv1_1 --crop 64 --resize 48 --run padded
        images probes --crop 0
        images probes --range 3,1
        images probes --range run
        images probes --maps changed:4
        images probes --maps sweep12
        images probes --maps 99, --weights vgg16.pth --layers conv1_1 --run e
        images probes --range runs/sweep12/config.tml
        images probes --weights vgg16.pth --layers conv1_1 --run ../outside
        images probes --weights vgg16.pth --layers conv1_1 --logdir text.png
        images probes --device gpu
        images probes --json s.json
        images --config runs/sweep21/config.toml
        images --config text.png
        images empty.png
        images loop.png
        images huge.png
        images probes --weights page.pth
        images probes --weights notes.pth
        images probes --weights half.safetensors
        images probes --normalize scale=255
        images probes --device auto,flex
        images probes --device flex,flex
        images probes --logdir probes/cat.png
        images [x.png
        images probes --colormap rainbow
        images probes --weights first.safetensors --layers pool5
        layers --arch vgg17
        imagse probes",
    );
    let layers = "conv1 block2_conv1 fc1 fc6 fc8 classifier.0 linear features.99 features.31 99 conv6_1 conv3_9 relu6_1 pool6";
    for layers in layers.split(' ') {
        page.say(&format!(
            "images probes --weights vgg16.pth --layers {layers}"
        ));
    }
    for text in [
        "colourmap = 'magma'",
        "crop = 1979-05-27",
        "crop = ",
        "command = 'checkpoints'",
        "layers = [[",
    ] {
        page.place.write("c.toml", text);
        let _ = writeln!(page.text, "c.toml: {text}");
        page.say("images probes --config c.toml");
    }
    // What is refused at once leaves nothing.
    let mut made: Vec<_> = fs::read_dir(page.place.path("runs"))
        .unwrap()
        .map(|run| run.unwrap().file_name())
        .collect();
    made.sort();
    assert_eq!(made, ["a", "padded", "skipped", "sweep12"]);
    page.is("images");
}

#[test]
fn of_checkpoints() {
    let mut page = Page::new();
    let shown = "--images probes --layers conv1_1,relu3_1 --resize 64 --crop 64";
    for line in [
        format!("ckpts {shown} --run a"),
        format!("ckpts {shown} --run a"),
        format!("ckpts {shown} --run a --colormap viridis"),
        format!(
            "ckpts {shown} --run b --compare-images crops/val --json s.json --fail-if change<1"
        ),
        format!("ckpts {shown} --run c --fail-if change"),
        format!("ckpts {shown} --run c --shard 3/3"),
        format!("ckpts {shown} --run c --shard 0/2 --json s.json"),
        format!("ckpts {shown} --run c --json empty"),
        format!("ckpts {shown} --run d --change=vgg16.pht"),
        format!("ckpts {shown} --run d --compare-images probs"),
        format!("ckpts {shown} --run d --compare-images probes"),
        format!("ckpts {shown} --run d --step epoch_("),
        format!("ckpts {shown} --run d --step nothing_(\\d+)"),
        format!("ckpt {shown} --run d"),
        format!("empty {shown} --run d"),
        format!("probes {shown} --run d"),
        format!("probes/cat.png {shown} --run d"),
        format!("weights/resnet.pth weights/alexnet.pth {shown} --run d"),
        "ckpts".to_owned(),
        format!("ckpts {shown} --run a --every 2"),
        format!("ckpts {shown} --shard 0/2"),
        format!("ckpts {shown} --run d --shard auto"),
        format!("ckpts {shown} --run d --shard 0/2 --follow"),
        format!("ckpts {shown} --run d --step index --follow"),
        format!("ckpts {shown} --run d --follow=soon"),
        format!("empty {shown} --run d --follow=1s"),
        format!("ckpts {shown} --run d --idle-exit 5"),
        format!("ckpts {shown} --run a --images vgg16.pth"),
        "ckpts --images probs".to_owned(),
        "ckpts --images vgg16.pth".to_owned(),
        "probes --images ckpts".to_owned(),
    ] {
        page.say(&format!("checkpoints {line}"));
    }
    page.place.put(&weights(), "unnumbered/last.safetensors");
    page.place.put(&weights(), "unnumbered/best.safetensors");
    page.place.put(&weights(), "twice/a_1.safetensors");
    page.place.put(&weights(), "twice/b_1.safetensors");
    page.place
        .put(&weights(), "long/epoch_99999999999999999999.safetensors");
    page.place.put(&weights(), "orders/run1_epoch2.safetensors");
    page.place.put(&weights(), "orders/run2_epoch1.safetensors");
    page.place.put(&weights(), "wide/epoch_1.safetensors");
    let real = root().join("photos/vgg16_to_pool2.safetensors");
    page.place.put(&real, "wide/epoch_2.safetensors");
    page.place.write("ckpts/epoch_4.safetensors", "");
    for line in [
        format!("unnumbered {shown} --run d"),
        format!("twice {shown} --run d"),
        format!("long {shown} --run d"),
        format!("orders {shown} --run d"),
        format!("ckpts {shown} --run d --step epoch_"),
        format!("ckpts {shown} --run d --exclude ckpts/*"),
        "wide --images probes --layers conv1_1 --crop 64 --run d".to_owned(),
        "wide --images probes --layers conv1_1 --crop 64 --run wide --on-error skip".to_owned(),
        format!("ckpts {shown} --run a"),
        format!("ckpts {shown} --run a --on-error skip"),
    ] {
        page.say(&format!("checkpoints {line}"));
    }
    let state = page.place.path("runs/a/state.jsonl");
    let text = fs::read_to_string(&state).unwrap();
    let newer = text.replacen("\"state\":1", "\"state\":99", 1);
    for (what, state_text) in [("newer", Some(newer)), ("gone", None)] {
        match state_text {
            Some(text) => fs::write(&state, text).unwrap(),
            None => fs::remove_file(&state).unwrap(),
        }
        let _ = writeln!(page.text, "runs/a/state.jsonl: {what}");
        page.say(&format!("checkpoints ckpts {shown} --run a"));
    }
    page.is("checkpoints");
}

#[test]
fn of_merge() {
    let mut page = Page::new();
    let part =
        "checkpoints ckpts --images probes --layers conv1_1 --resize 64 --crop 64 --run a --shard";
    for line in [
        &*format!("{part} 0/2"),
        "merge runs/a",
        "checkpoints ckpts --images probes --layers conv1_1 --resize 64 --crop 64 --run a",
        &format!("{part} 1/2"),
        &format!("{part} 1/3"),
        "merge runs/a",
        "merge runs/a",
        "merge sweep12",
        "merge runs/sweep12",
        "merge",
    ] {
        page.say(line);
    }
    page.is("merge");
}

#[test]
fn of_training() {
    let mut page = Page::new();
    let narrow = "arch = 'vgg11_bn'\nwidth = 0.1\nhidden = 16\nresize = 32\ncrop = 32\nbatch-size = 12\nlayers = 'conv1_1'\n\
                  data = 'crops'\nimages = ['probes']\n";
    page.place.write("narrow.toml", narrow);
    page.text = format!("narrow.toml:\n{narrow}\n");
    let flags = "--steps 2 --validate-every 2 --run a | --steps 2 --run a | --steps 2 --resume --run b |
        --steps 3 --run c --optimizer sgd --learning-rate 1e6 | --steps 3 --run d --stop-above 0.5 | --resume |
        --crop off | --crop 16 | --freeze pool5,!pool5 | --freeze conv9_9 | --optimizer nesterov --momentum 0 |
        --optimizer sdg | --weights vgg16.pth | --epochs 0 | --batch-size 1.5 | --learning-rate 0 | --momentum 1.5 |
        --dropout 1 | --width 2 | --schedule linear | --schedule step=0,0.1 | --augment scale=0.5,2 |
        --augment jitter=0.1 | --clip-norm 0 | --save-every often | --keep 0 | --precision bf16 |
        --model pt2/residual.pt2 | --weights vgg16.pth --arch vgg16 --width 1 --hidden 99 | --augment aspect=2,1 |
        --device auto,auto | --device libtorch:cpu,flex";
    for flags in flags.split('|').map(str::trim) {
        page.say(&format!("train --config narrow.toml {flags}"));
    }
    page.place.put(&photo("coffee.png"), "flat/coffee.png");
    for file in [
        "one/train/coffee/0.png",
        "few/train/coffee/0.png",
        "few/train/tea/0.png",
        "unseen/train/coffee/0.png",
        "unseen/train/tea/0.png",
        "unseen/val/coffee/0.png",
        "other/train/coffee/0.png",
        "other/train/tea/0.png",
        "other/val/coffee/0.png",
        "other/val/tea/0.png",
        "other/val/milk/0.png",
    ] {
        page.place.put(&photo("coffee.png"), file);
    }
    page.place.write("nothing/coffee/.keep", "");
    page.place.put(&photo("coffee.png"), "nothing/tea/0.png");
    for line in [
        "train",
        "train crops",
        "train probs --images probes",
        "train crops --images probes --weights gone.pth --run e",
        "train empty --images probes",
        "train flat --images probes",
        "train one --images probes",
        "train few --images probes",
        "train unseen --images probes",
        "train other --images probes",
        "train nothing --images probes",
        "train ckpts --images probes",
    ] {
        page.say(line);
    }
    page.is("train");
}
