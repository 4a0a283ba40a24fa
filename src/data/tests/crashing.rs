//! A bug of a decoder is the error of one image.

use std::path::Path;

use crate::data::error::ImageError;
use crate::data::error::caught;
use crate::one_line::one_line;

#[test]
fn a_panic_is_the_error_of_its_image() {
    let path = Path::new("cats/7.tif");
    assert_eq!(caught(path, || Ok(3)).unwrap(), 3);
    let error = caught::<()>(path, || panic!("index out of bounds\nframe #0: x")).unwrap_err();
    assert!(matches!(error.error, ImageError::Crashed(_)));
    let line =
        "cats/7.tif: reading it crashed (index out of bounds), which is a bug; leave the image out";
    assert_eq!(one_line(&error), line);
}
