//! What is said of runs that are compared and read back, of weights and of exported networks.

use std::fs;

use super::super::support::root;
use super::Page;

#[test]
fn of_comparing() {
    let mut page = Page::new();
    page.say_all(
        "compare similarity/a similarity/b --run ab
        compare similarity/a similarity/b --run ab
        compare
        compare similarity/a
        compare similarity/a similarity/./a
        compare sweep12 runs/sweep12
        compare runs/sweep12 runs/sweep21
        compare similarity/a runs/sweep12
        compare similarity/a similarity/b --run ../x",
    );
    page.is("compare");
    let mut page = Page::new();
    page.say_all(
        "diff vgg16.pth vgg16.pth
        diff ckpts/epoch_1.safetensors ckpts/epoch_3.safetensors
        diff vgg16.pth weights/zip.pth
        diff vgg16.pth weights/zip.pth --arch vgg16
        diff vgg16.pht vgg16.pth
        diff vgg16.pth vgg16.pth --images probs
        diff weights/two_networks.pth weights/two_networks.pth
        diff weights/quantised.pth weights/quantised.pth
        diff vgg16.pth",
    );
    page.is("diff");
}

#[test]
fn of_what_reads_runs_back() {
    let mut page = Page::new();
    page.say_all(
        "inspect read_back/by_tensorflow/modern
        inspect read_back/by_pytorch/cut
        inspect read_back/by_pytorch/flipped
        inspect sweep12
        inspect runs/sweep21
        inspect quite/elsewhere
        inspect vgg16.pth
        inspect probes/cat.png
        inspect empty",
    );
    page.is("inspect");
    let mut page = Page::new();
    page.say_all(
        "export read_back/by_tensorflow/modern --out pictures
        export read_back/by_tensorflow/modern --out pictures --tag loss
        export read_back/by_tensorflow/modern --out pictures --tag map --step 99
        export read_back/by_tensorflow/modern --out pictures --step 5..1
        export read_back/by_tensorflow/modern --out text.png/x
        export read_back/by_tensorflow/modern --out tables --as csv
        export read_back/by_tensorflow/modern --out tables --as csv --tag e
        export read_back/by_tensorflow/modern --out films --as gif
        export read_back/by_tensorflow/modern --out films --together
        export read_back/by_tensorflow/modern --out films --scale 2
        export read_back/by_tensorflow/modern --out films --as gif --scale 65
        export read_back/by_tensorflow/modern --out drawn --as svg
        export read_back/by_tensorflow/modern --out drawn --as csv --size 900x500
        export read_back/by_tensorflow/modern --out drawn --size 900
        export sweep12 --out x
        export empty --out x",
    );
    page.is("export");
    let mut page = Page::new();
    let plain = root().join("tests/fixtures/read_back/by_pytorch/plain");
    std::os::unix::fs::symlink(plain, page.place.path("com,ma")).unwrap();
    page.say_all(
        "view --print read_back/by_pytorch/plain
        view --print read_back/by_pytorch/plain read_back/by_tensorflow
        view --print sweep12
        view --print empty
        view --print read_back/by_pytorch/plain com,ma
        view --print gone",
    );
    page.is("view");
}

/// Every file of the fixtures: the note or the error that it gets.
#[test]
fn of_weights() {
    let mut page = Page::new();
    let mut names: Vec<String> = fs::read_dir(root().join("tests/fixtures/weights"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["expected.json", "near.json", "make.py"].contains(&&**name))
        .collect();
    names.sort();
    for name in names {
        page.say(&format!("layers --layers conv1_1 --weights weights/{name}"));
    }
    page.say("layers --weights vgg16.pht");
    page.say("layers --weights empty");
    page.say("layers --weights weights/net_and_ema.pth --weights-key swa");
    page.is("weights");
}

#[test]
fn of_other_networks() {
    let mut page = Page::new();
    page.place.write(
        "net.pt2",
        &fs::read(root().join("tests/fixtures/pt2/residual.pt2")).unwrap()[..9000],
    );
    page.say_all(
        "layers --model pt2/residual.pt2 --layers relu*
        images probes --model pt2/residual.pt2 --layers relu --run a
        images probes --model pt2/residual.pt2 --layers rel
        images probes --model pt2/residual.pt2 --layers squeeze.9
        images probes --model pt2/residual.pt2 --crop 64
        images probes --model pt2/residual.pt2 --arch vgg16
        images probes --model pt2/residual.pt2 --weights vgg16.pth
        images probes --model pt2/checkpoints/epoch_1.pth
        images probes --model pt2/checkpoints/epoch_3.safetensors
        images probes --model vgg16.pth
        images probes --model none.pt2
        images probes --model net.pt2",
    );
    page.is("model");
}
