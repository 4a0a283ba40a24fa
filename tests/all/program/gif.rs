//! Animations as other programs read them.

use std::io::Cursor;
use std::process::Command;

use image::{GrayImage, ImageFormat};
use tensorboard_events::{EventFile, Summary};

use crate::program::support::Place;

/// To Pillow a palette of all grays in order is none, and the frame black.
// Verified: Pillow | frames of an exported GIF, read back | to the bit
#[test]
fn gray_frames_are_to_pillow_what_was_logged() {
    let place = Place::new();
    let mut events = EventFile::create(&place.path("run")).unwrap();
    for step in 1..=3 {
        let row = (0..=255u8).map(|x| x.wrapping_add(step)).collect();
        let mut png = Cursor::new(Vec::new());
        let picture = GrayImage::from_raw(256, 1, row).unwrap();
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let image = Summary::image("a", "", 256, 1, vec![png.into_inner()]);
        events.write_step(step.into(), vec![image]).unwrap();
    }
    events.close().unwrap();
    let line = "export run --out out --as gif --scale 1";
    place.run::<&str>(line, &[]).ok();

    let code = "
import sys, PIL.Image
film = PIL.Image.open(sys.argv[1])
for step in range(film.n_frames):
    film.seek(step)
    rgb = film.convert('RGB')
    print(*[rgb.getpixel((x, rgb.height - 1)) for x in (0, 100, 255)])
";
    let python = std::env::var("VGGSCOPE_TEST_PYTHON")
        .expect("VGGSCOPE_TEST_PYTHON must name a Python with Pillow: run `make test`");
    let mut python = Command::new(python);
    python.args(["-c", code]).arg(place.path("out/a.gif"));
    let read = python.output().unwrap();
    let expected = "(1, 1, 1) (101, 101, 101) (0, 0, 0)\n(2, 2, 2) (102, 102, 102) (1, 1, 1)\n\
                    (3, 3, 3) (103, 103, 103) (2, 2, 2)\n";
    let error = String::from_utf8_lossy(&read.stderr);
    assert_eq!(String::from_utf8_lossy(&read.stdout), expected, "{error}");
}
