//! Decoded files against Pillow. Fixtures: `tests/fixtures/input/make_decode.py`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::data::decode::decode;
use crate::data::error::{ImageError, MAX_PIXELS};
use feature_grid::Picture;
use tempfile::TempDir;

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/input")
        .join(name)
}

/// A binary PPM (P6), as Pillow writes it: three header lines, then the pixels.
pub(super) fn ppm(path: &Path) -> Picture {
    let bytes = fs::read(path).unwrap();
    let mut lines = bytes.splitn(4, |&byte| byte == b'\n');
    assert_eq!(lines.next(), Some(&b"P6"[..]), "{}", path.display());
    let size = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let (width, height) = size.split_once(' ').unwrap();
    assert_eq!(lines.next(), Some(&b"255"[..]));
    let pixels = lines.next().unwrap().to_vec();
    Picture::rgb(width.parse().unwrap(), height.parse().unwrap(), pixels)
}

pub(super) use crate::one_line::one_line as with_sources;

pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// Kinds that `image` would decode otherwise than Pillow does, each with its name in the error.
const REFUSED: [(&str, &str); 41] = [
    ("color16.pnm", "PPM whose maximum is 65535 instead of 255"),
    ("gray10.pgm", "PPM whose maximum is 1023 instead of 255"),
    ("max1.pgm", "PPM whose maximum is 1 instead of 255"),
    ("max100.pgm", "PPM whose maximum is 100 instead of 255"),
    ("max254.pgm", "PPM whose maximum is 254 instead of 255"),
    ("max6.pgm", "PPM whose maximum is 6 instead of 255"),
    (
        "plain_color12.pnm",
        "PPM whose maximum is 4095 instead of 255",
    ),
    ("plain_max1.pnm", "PPM whose maximum is 1 instead of 255"),
    (
        "plain_max100.pnm",
        "PPM whose maximum is 100 instead of 255",
    ),
    (
        "plain_max254.pnm",
        "PPM whose maximum is 254 instead of 255",
    ),
    ("plain_max6.pnm", "PPM whose maximum is 6 instead of 255"),
    (
        "grey16_turned_5.tif",
        "TIFF with uncompressed pixels that are to be turned",
    ),
    ("rgb555.bmp", "16-bit BMP"),
    ("rgb565.bmp", "16-bit BMP"),
    ("rle4.bmp", "RLE BMP"),
    ("rle8.bmp", "RLE BMP"),
    ("rle8_short_rows.bmp", "RLE BMP"),
    ("rle8_jump.bmp", "RLE BMP"),
    (
        "pixels_inside_palette.bmp",
        "BMP whose pixels begin inside its palette",
    ),
    (
        "rgb32_other_order.bmp",
        "BMP with an uncommon order of colors",
    ),
    ("cmyk.tif", "TIFF with CMYK"),
    ("cmyk16.tif", "TIFF with CMYK"),
    ("cmyk_lzw.tif", "TIFF with CMYK"),
    ("float32.tif", "TIFF with 32-bit gray"),
    ("grey2.tif", "TIFF with 2-bit gray"),
    ("grey4.tif", "TIFF with 4-bit gray"),
    ("grey_alpha.tif", "TIFF with gray and alpha"),
    ("int16.tif", "TIFF with signed or floating-point gray"),
    ("int32.tif", "TIFF with 32-bit gray"),
    ("jpeg_cmyk.tif", "TIFF with JPEG compression"),
    ("jpeg_grey.tif", "TIFF with JPEG compression"),
    ("jpeg_rgb.tif", "TIFF with JPEG compression"),
    ("palette.tif", "TIFF with a palette"),
    ("palette4.tif", "TIFF with a palette"),
    ("reversed_bits.tif", "TIFF with reversed bit order"),
    ("rgb_big_tiff.tif", "the format BigTIFF"),
    (
        "rgb_planar_tiles.tif",
        "TIFF with tiles of separate color planes",
    ),
    (
        "rgba_premultiplied.tif",
        "TIFF with colors multiplied by alpha",
    ),
    (
        "small_first_frame.gif",
        "GIF whose first frame does not fill its canvas",
    ),
    (
        "small_first_frame_transparent.gif",
        "GIF whose first frame does not fill its canvas",
    ),
    (
        "white_is_zero16.tif",
        "TIFF with 16-bit gray where 0 is white",
    ),
];

fn decode_fixtures() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(fixture("decode"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().unwrap() != "ppm")
        .collect();
    files.sort();
    files
}

// Verified: Pillow 13 | `Image.open(…).convert("RGB")` of every kind of image file, or the file is refused by name | to the bit
#[test]
fn every_kind_of_file_equals_pillow() {
    let files = decode_fixtures();
    assert!(files.len() > 80, "only {} fixtures", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let expected = ppm(Path::new(&format!("{}.ppm", file.display())));
        let name = file.file_name().unwrap().to_str().unwrap();
        let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
        match (decode(&file).map(|found| found.picture), refused) {
            (Err(error), Some((_, kind))) => {
                let text = with_sources(&error);
                let expected = format!(
                    "{name}: {kind} is not read; convert the image to an RGB PNG or JPEG first"
                );
                assert!(text.ends_with(&expected) && !text.contains('\n'), "{text}");
            }
            (Err(error), None) => wrong.push(with_sources(&error)),
            (Ok(_), Some(_)) => wrong.push(format!("{name}: is not refused")),
            (Ok(found), None) if found != expected => wrong.push(format!("{name}: differs")),
            (Ok(_), None) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// They were read whole, 20 GB of them.
#[test]
fn what_lies_behind_an_image_is_not_read() {
    let folder = TempDir::new().unwrap();
    for name in [
        "rgb8.png",
        "420.jpg",
        "palette.gif",
        "rgb.bmp",
        "rgb16.tif",
        "lossless.webp",
        "binary.pnm",
    ] {
        let from = fixture("decode").join(name);
        let expected = decode(&from).unwrap().picture;
        let path = folder.path().join(name);
        fs::copy(&from, &path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(20 << 30).unwrap();
        assert!(decode(&path).unwrap().picture == expected, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn what_has_no_end_is_refused_by_its_beginning() {
    let error = decode(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(error.error, ImageError::NotAnImage { .. }));
}

/// A picture with a gray or black rest is never made.
#[test]
fn a_truncated_file_is_whole_or_an_error() {
    let folder = TempDir::new().unwrap();
    for file in decode_fixtures() {
        let bytes = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        // The end of plain text cannot be told from the middle of its last number.
        if REFUSED.iter().any(|(refused, _)| *refused == name) || name.starts_with("plain") {
            continue;
        }
        let whole = decode(&file).unwrap().picture;
        let third = bytes.len() / 3;
        for length in [
            third,
            third * 3 / 2,
            third * 2,
            bytes.len() - 30,
            bytes.len() - 1,
        ] {
            match decode(&write(folder.path(), name, &bytes[..length])).map(|found| found.picture) {
                // What is missing may be a second frame, or something after the picture.
                Ok(found) => assert!(found == whole && length > third, "{name} at {length}"),
                Err(error) => {
                    let (whole, broken) = (with_sources(&error), error.error);
                    assert!(
                        matches!(
                            broken,
                            ImageError::Truncated { .. } | ImageError::Damaged { .. }
                        ),
                        "{name} at {length}: {whole}"
                    );
                    assert!(whole.contains(name), "{whole}");
                }
            }
        }
    }
}

#[test]
fn a_truncated_jpeg_is_reported_as_such() {
    let folder = TempDir::new().unwrap();
    for name in ["420.jpg", "420_progressive.jpg", "cmyk_adobe.jpg"] {
        let bytes = fs::read(fixture("decode").join(name)).unwrap();
        // The last two bytes are the end marker; without it a sequential JPEG is still whole.
        for length in (20..bytes.len() - 8).step_by(11) {
            let cut = write(folder.path(), name, &bytes[..length]);
            let error = decode(&cut).unwrap_err();
            assert!(
                matches!(&error.error, ImageError::Truncated { format: "JPEG", bytes, .. } if *bytes == length as u64),
                "{name} at {length}: {}",
                with_sources(&error)
            );
        }
    }
}

#[test]
fn what_is_no_image_says_what_it_is() {
    let folder = TempDir::new().unwrap();
    let text = write(folder.path(), "notes.png", b"# My notes\nabout pictures");
    let error = decode(&text).unwrap_err();
    assert!(matches!(error.error, ImageError::NotAnImage { .. }));
    let message = with_sources(&error);
    assert!(
        message.contains("notes.png: this is not an image"),
        "{message}"
    );
    assert!(
        message.contains(r##"it begins with "# My notes\na" (23 20 4d"##),
        "{message}"
    );

    let empty = write(folder.path(), "empty.jpg", b"");
    assert!(
        with_sources(&decode(&empty).unwrap_err())
            .contains("empty.jpg: this is not an image: it is empty")
    );

    let icon = write(
        folder.path(),
        "icon.png",
        b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0",
    );
    let error = decode(&icon).unwrap_err();
    assert!(
        matches!(error.error, ImageError::Unsupported { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("the format Ico is not read"),
        "{error}"
    );

    let error = decode(&folder.path().join("nowhere.png")).unwrap_err();
    assert!(matches!(error.error, ImageError::Read { .. }));
    assert!(error.to_string().contains("nowhere.png"), "{error}");
    assert!(matches!(
        decode(folder.path()).unwrap_err().error,
        ImageError::Read { .. }
    ));
}

fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = fs::read(fixture("decode/rgb8.png")).unwrap();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// PNG's checksum (RFC 2083, appendix 15).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn decompression_bombs_are_refused_by_their_header() {
    let folder = TempDir::new().unwrap();
    let mut bombs = vec![(
        "bomb.png",
        png_that_claims(100_000, 100_000),
        (100_000, 100_000),
    )];
    let mut jpeg = fs::read(fixture("decode/420.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFD, 0xE8, 0xFD, 0xE8]);
    bombs.push(("bomb.jpg", jpeg, (65_000, 65_000)));
    let mut gif = fs::read(fixture("decode/palette.gif")).unwrap();
    gif[6..10].copy_from_slice(&[0xFF; 4]);
    bombs.push(("bomb.gif", gif, (65_535, 65_535)));
    let mut bmp = fs::read(fixture("decode/rgb.bmp")).unwrap();
    bmp[18..26].copy_from_slice(&[0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0]);
    bombs.push(("bomb.bmp", bmp, (65_535, 65_535)));
    let mut tiff = fs::read(fixture("decode/rgb16.tif")).unwrap();
    for (tag, side) in [(256_u16, 50_000_u16), (257, 50_000), (278, 50_000)] {
        let place = tiff
            .windows(2)
            .position(|w| w == tag.to_le_bytes())
            .unwrap();
        tiff[place + 8..place + 10].copy_from_slice(&side.to_le_bytes());
    }
    bombs.push(("bomb.tif", tiff, (50_000, 50_000)));
    for (name, bytes, claimed) in bombs {
        let error = decode(&write(folder.path(), name, &bytes)).unwrap_err();
        let ImageError::TooLarge { width, height, .. } = error.error else {
            panic!("{name}: {}", with_sources(&error));
        };
        assert_eq!((width, height), claimed, "{name}");
        let message = error.to_string();
        let pixels = u64::from(width) * u64::from(height);
        for part in [name, &pixels.to_string(), &MAX_PIXELS.to_string()] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn a_picture_without_pixels_is_an_error() {
    let folder = TempDir::new().unwrap();
    let mut gif = fs::read(fixture("decode/palette.gif")).unwrap();
    let frame = gif
        .windows(5)
        .position(|w| w == [b',', 0, 0, 0, 0])
        .unwrap();
    gif[6..8].fill(0);
    gif[frame + 5..frame + 7].fill(0);
    let error = decode(&write(folder.path(), "flat.gif", &gif)).unwrap_err();
    assert!(
        matches!(
            error.error,
            ImageError::NoPixels {
                width: 0,
                height: 17,
                ..
            }
        ),
        "{error:?}"
    );
    let error = decode(&write(folder.path(), "flat.png", &png_that_claims(0, 17))).unwrap_err();
    assert!(with_sources(&error).contains("flat.png"), "{error}");
}

/// Pillow does not take it for an image.
#[test]
fn a_png_of_an_unknown_compression_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut bytes = fs::read(fixture("decode/rgb8.png")).unwrap();
    // The compression method, in the first chunk.
    bytes[26] = 7;
    let error = decode(&write(folder.path(), "a.png", &bytes)).unwrap_err();
    let text = with_sources(&error);
    assert!(
        text.contains("a.png: PNG with the unknown compression method 7"),
        "{text}"
    );
}
