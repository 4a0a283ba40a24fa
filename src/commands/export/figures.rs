//! Figures drawn again from what was logged next to them, and their numbers.

use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Exported;
use super::scalars::field;
use super::series::{Point, Series, changed};
use crate::analysis::figure::{Cells, Figure, Matrix, SIZE};
use crate::commands::error::{CommandError, RunError};
use crate::settings::{ExportFormat, ExportSettings};
use tensorboard_events::Value;

/// Writes the figures of a tag into a folder, a file a step. Pictures in rows and columns have no numbers.
pub(super) fn write(
    series: &Series<'_>,
    settings: &ExportSettings,
    folder: &Path,
    exported: &mut Exported,
) -> Result<(), CommandError> {
    let [width, height] = settings.size.map_or(SIZE, |size| size.0);
    for (step, point) in series.read() {
        let figure = point.and_then(of_point);
        let Some(figure) = exported.or_skip(&series.name(step), figure) else {
            continue;
        };
        let (ending, bytes) = match (settings.format, &figure.cells) {
            (ExportFormat::Svg, _) => ("svg", Ok(figure.svg(width, height).into_bytes())),
            (ExportFormat::Csv, Cells::Matrix(matrix)) => ("csv", Ok(table(&figure, matrix))),
            (ExportFormat::Npz, Cells::Matrix(matrix)) => ("npz", arrays(&figure, matrix)),
            (ExportFormat::Csv | ExportFormat::Npz, Cells::Tiles(_)) => continue,
            _ => {
                let png = figure.picture(width, height).to_png();
                ("png", png.map_err(RunError::from))
            }
        };
        if let Some(bytes) = exported.or_skip(&series.name(step), bytes) {
            exported.write(&folder.join(format!("step_{step:06}.{ending}")), bytes)?;
        }
    }
    Ok(())
}

fn of_point(point: Point) -> Result<Figure, RunError> {
    let Value::Data { strings, .. } = point.value else {
        return Err(changed());
    };
    let is_whole = |figure: &Figure| match &figure.cells {
        Cells::Matrix(matrix) => matrix.values.len() == figure.rows.len() * figure.columns.len(),
        Cells::Tiles(_) => true,
    };
    let figure = Figure::from_data(&strings).filter(is_whole);
    figure.ok_or_else(|| "the figure is of another version".into())
}

/// A row a row of the figure, under the names of its columns and behind its own.
fn table(figure: &Figure, matrix: &Matrix) -> Vec<u8> {
    let header = std::iter::once(&figure.row_axis).chain(&figure.columns);
    let header: Vec<String> = header.map(|name| field(name)).collect();
    let mut lines = vec![header.join(",")];
    let rows = matrix.values.chunks(figure.columns.len().max(1));
    for (name, values) in figure.rows.iter().zip(rows) {
        let values = values.iter().map(|value| format!("{value:?}"));
        let line: Vec<String> = std::iter::once(field(name)).chain(values).collect();
        lines.push(line.join(","));
    }
    (lines.join("\n") + "\n").into_bytes()
}

/// `values`, float32 `[rows, columns]`, and the names `rows` and `columns`, as `numpy.load` reads them.
fn arrays(figure: &Figure, matrix: &Matrix) -> Result<Vec<u8>, RunError> {
    let (rows, columns) = (figure.rows.len(), figure.columns.len());
    let bytes = matrix.values.iter().flat_map(|value| value.to_le_bytes());
    let bytes: Vec<u8> = bytes.collect();
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    let values = npy("<f4", &format!("{rows}, {columns}"), &bytes);
    for (name, array) in [
        ("values", values),
        ("rows", names(&figure.rows)),
        ("columns", names(&figure.columns)),
    ] {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        file.start_file(format!("{name}.npy"), options)?;
        file.write_all(&array)?;
    }
    Ok(file.finish()?.into_inner())
}

/// Texts in UTF-32, as `numpy.load` reads them: four bytes a character, all as long as the longest.
fn names(names: &[String]) -> Vec<u8> {
    let longest = names.iter().map(|name| name.chars().count()).max();
    let longest = longest.unwrap_or(0).max(1);
    let padded = |name: &String| {
        let letters = name.chars().map(u32::from);
        let letters = letters.chain(std::iter::repeat(0)).take(longest);
        letters.flat_map(u32::to_le_bytes).collect::<Vec<_>>()
    };
    let bytes: Vec<u8> = names.iter().flat_map(padded).collect();
    npy(
        &format!("<U{longest}"),
        &format!("{},", names.len()),
        &bytes,
    )
}

/// Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, version 1.0.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // With the magic, its length and the end of the line.
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header += &" ".repeat(unpadded.next_multiple_of(64) - unpadded);
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap_or(u16::MAX);
    [MAGIC, &length.to_le_bytes(), header.as_bytes(), values].concat()
}
