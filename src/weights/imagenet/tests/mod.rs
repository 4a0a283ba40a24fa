//! Caches, and downloads from a server on this machine.

mod folders;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::weights::sha256;

/// What the server has.
fn content() -> Vec<u8> {
    (0..300_000_u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// A name that ends with the right digits.
fn right_name() -> String {
    let hash = sha256(&mut content().as_slice()).unwrap();
    format!("vgg-{}.pth", &hash[..8])
}

/// What the server does with a request, which may have asked for bytes from an offset on.
#[derive(Clone, Copy)]
enum Answer {
    /// As a server should: 206 with the rest, or 200 with everything.
    Proper,
    /// 200 with everything, whatever was asked.
    IgnoresRange,
    /// As `Proper`, but the connection ends after so many bytes of the body.
    Stops(usize),
    /// Another status.
    Status(u16),
    /// 416, with the length of the file.
    Unsatisfiable,
}

struct Server {
    url: String,
    /// The `Range` header of each request, or nothing.
    asked: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    /// Answers the first request as the first answer says, and so on; the last one repeats.
    fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/models/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers = answers.to_vec();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut log = log.lock().unwrap();
                let answer = answers[log.len().min(answers.len() - 1)];
                log.push(serve(stream.unwrap(), answer));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Option<String>> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: Answer) -> Option<String> {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| !line.is_empty())
        .collect();
    let headers: HashMap<String, String> = head
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let range = headers.get("range").cloned();
    let content = content();
    let total = content.len();
    let from: usize = range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.trim_end_matches('-').parse().ok())
        .filter(|_| !matches!(answer, Answer::IgnoresRange))
        .unwrap_or(0);
    let (status, extra, body) = match answer {
        Answer::Status(status) => (status, String::new(), &b"sorry"[..]),
        Answer::Unsatisfiable => (416, format!("Content-Range: bytes */{total}\r\n"), &b""[..]),
        _ if from > 0 => {
            let last = total - 1;
            let range = format!("Content-Range: bytes {from}-{last}/{total}\r\n");
            (206, range, &content[from..])
        }
        _ => (200, String::new(), &content[..]),
    };
    let sent = match answer {
        Answer::Stops(after) => &body[..after.min(body.len())],
        _ => body,
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n",
        body.len()
    );
    // The client may have gone already.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(sent);
    range
}

/// Two empty folders and a server.
struct Scene {
    folder: tempfile::TempDir,
    server: Server,
    locations: Locations,
}

impl Scene {
    fn new(answers: &[Answer]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(answers);
        let locations = Locations {
            torch: Some(folder.path().join("torch")),
            own: Some(folder.path().join("own")),
            url: server.url.trim_end_matches('/').to_owned(),
        };
        Self {
            folder,
            server,
            locations,
        }
    }

    fn path(&self, folder: &str, file: &str) -> PathBuf {
        self.folder.path().join(folder).join(file)
    }

    fn put(&self, folder: &str, file: &str, bytes: &[u8]) {
        fs::create_dir_all(self.folder.path().join(folder)).unwrap();
        fs::write(self.path(folder, file), bytes).unwrap();
    }

    fn resolve(&self, file: &str) -> Result<PathBuf, ImagenetError> {
        resolve_file(file, &self.locations, &mut |_, _| true)
    }

    /// Resolves the right file and checks it.
    #[track_caller]
    fn resolve_well(&self) {
        let file = right_name();
        let path = self.resolve(&file).unwrap();
        assert_eq!(path, self.path("own", &file));
        assert!(fs::read(path).unwrap() == content(), "other bytes arrived");
        assert!(!self.path("own", &format!("{file}.part")).exists());
    }

    #[track_caller]
    fn resolve_badly(&self, file: &str) -> DownloadError {
        let Err(error) = self.resolve(file) else {
            panic!("{file} was resolved");
        };
        assert!(!self.path("own", file).exists());
        let text = error.to_string();
        for part in [file, "torch", "own", &self.locations.url] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        match error {
            ImagenetError::Unavailable { source, .. } => source,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_file_in_a_cache_is_taken_from_there_torchs_first() {
    let scene = Scene::new(&[Answer::Status(500)]);
    let file = "vgg16-397923af.pth";
    scene.put("own", file, b"ours");
    assert_eq!(scene.resolve(file).unwrap(), scene.path("own", file));
    scene.put("torch", file, b"torch's");
    let found = resolve("vgg16", &scene.locations, &mut |_, _| true).unwrap();
    assert_eq!(found, scene.path("torch", file));
    assert!(scene.server.asked().is_empty());
}

#[test]
fn a_download_is_checked_and_reported() {
    let scene = Scene::new(&[Answer::Proper]);
    let mut reported = Vec::new();
    resolve_file(&right_name(), &scene.locations, &mut |done, total| {
        reported.push((done, total));
        true
    })
    .unwrap();
    let total = content().len() as u64;
    assert_eq!(reported.first(), Some(&(0, Some(total))));
    assert_eq!(reported.last(), Some(&(total, Some(total))));
    assert!(reported.is_sorted());
    assert_eq!(scene.server.asked(), [None]);
    scene.resolve_well();
    assert_eq!(scene.server.asked().len(), 1, "it was there already");
}

#[test]
fn an_unfinished_download_is_resumed() {
    let scene = Scene::new(&[Answer::Proper]);
    let part = format!("{}.part", right_name());
    scene.put("own", &part, &content()[..1000]);
    scene.resolve_well();
    assert_eq!(scene.server.asked(), [Some("bytes=1000-".into())]);
}

#[test]
fn a_finished_but_unnamed_download_is_taken() {
    let scene = Scene::new(&[Answer::Unsatisfiable]);
    scene.put("own", &format!("{}.part", right_name()), &content());
    scene.resolve_well();
}

#[test]
fn a_part_that_is_too_long_starts_over() {
    let scene = Scene::new(&[Answer::Unsatisfiable, Answer::Proper]);
    let mut long = content();
    long.push(0);
    scene.put("own", &format!("{}.part", right_name()), &long);
    scene.resolve_well();
    assert_eq!(scene.server.asked()[1], None);
}

#[test]
fn a_server_that_ignores_ranges_starts_over() {
    let scene = Scene::new(&[Answer::IgnoresRange]);
    scene.put("own", &format!("{}.part", right_name()), &content()[..1000]);
    scene.resolve_well();
}

#[test]
fn a_connection_that_breaks_off_is_taken_up_again() {
    let scene = Scene::new(&[
        Answer::Stops(100_000),
        Answer::Stops(50_000),
        Answer::Proper,
    ]);
    scene.resolve_well();
    assert_eq!(
        scene.server.asked(),
        [
            None,
            Some("bytes=100000-".into()),
            Some("bytes=150000-".into())
        ]
    );
}

#[test]
fn a_connection_that_brings_nothing_is_given_up_and_the_part_kept() {
    let scene = Scene::new(&[Answer::Stops(100_000), Answer::Stops(0)]);
    let error = scene.resolve_badly(&right_name());
    assert!(
        matches!(error, DownloadError::BrokeOff { got: 100_000, .. }),
        "{error}"
    );
    let part = scene.path("own", &format!("{}.part", right_name()));
    assert_eq!(fs::metadata(part).unwrap().len(), 100_000);
}

#[test]
fn another_file_under_the_name_is_deleted() {
    let scene = Scene::new(&[Answer::Proper]);
    let file = "vgg-00000000.pth";
    let error = scene.resolve_badly(file);
    assert!(matches!(error, DownloadError::WrongHash { .. }), "{error}");
    assert!(error.to_string().contains("not 00000000"));
    assert!(!scene.path("own", &format!("{file}.part")).exists());
}

#[test]
fn a_status_is_reported() {
    for status in [404, 403, 503] {
        let scene = Scene::new(&[Answer::Status(status)]);
        let error = scene.resolve_badly(&right_name());
        assert_eq!(error.to_string(), format!("the server answered {status}"));
    }
}

#[test]
fn no_server_is_reported() {
    let mut scene = Scene::new(&[Answer::Proper]);
    // Bound and let go: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    scene.locations.url = format!("http://{free}");
    let error = scene.resolve_badly(&right_name());
    assert!(matches!(error, DownloadError::Connection(_)), "{error}");
}

#[test]
fn the_caller_can_end_it() {
    let scene = Scene::new(&[Answer::Proper]);
    let mut calls = 0;
    let result = resolve_file(&right_name(), &scene.locations, &mut |_, _| {
        calls += 1;
        calls < 2
    });
    let Err(ImagenetError::Unavailable { source, .. }) = result else {
        panic!("{result:?}");
    };
    assert!(matches!(source, DownloadError::Interrupted), "{source}");
    let part = scene.path("own", &format!("{}.part", right_name()));
    assert!(
        fs::metadata(part).unwrap().len() > 0,
        "what arrived is kept"
    );
    scene.resolve_well();
}

/// Whether the server knows ranges or not: one downloads, the others find the file.
#[test]
fn of_several_at_once_one_downloads() {
    for answer in [Answer::IgnoresRange, Answer::Proper] {
        let scene = Scene::new(&[answer]);
        let file = right_name();
        let began = std::sync::Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    began.wait();
                    let path = scene.resolve(&file).unwrap();
                    assert!(fs::read(path).unwrap() == content(), "other bytes arrived");
                });
            }
        });
        scene.resolve_well();
        assert_eq!(scene.server.asked().len(), 1);
    }
}

/// What another process finished while this one waited for it is not asked for again, nor emptied.
#[test]
fn whoever_waited_finds_the_file() {
    let scene = Scene::new(&[Answer::IgnoresRange]);
    let file = right_name();
    scene.put("own", &format!("{file}.lock"), b"");
    let held = fs::File::open(scene.path("own", &format!("{file}.lock"))).unwrap();
    held.lock().unwrap();
    let mut held = Some(held);
    let found = resolve_file(&file, &scene.locations, &mut |_, _| {
        if let Some(held) = held.take() {
            scene.put("own", &file, &content());
            held.unlock().unwrap();
        }
        true
    });
    assert!(fs::read(found.unwrap()).unwrap() == content());
    assert!(scene.server.asked().is_empty());
}

#[test]
fn whoever_waits_can_be_interrupted() {
    let scene = Scene::new(&[Answer::Proper]);
    let file = right_name();
    scene.put("own", &format!("{file}.lock"), b"");
    let held = fs::File::open(scene.path("own", &format!("{file}.lock"))).unwrap();
    held.lock().unwrap();
    let result = resolve_file(&file, &scene.locations, &mut |_, _| false);
    let Err(ImagenetError::Unavailable { source, .. }) = result else {
        panic!("{result:?}");
    };
    assert!(matches!(source, DownloadError::Interrupted), "{source}");
}

#[test]
fn only_published_networks_have_files() {
    let scene = Scene::new(&[Answer::Proper]);
    let error = resolve("vgg12", &scene.locations, &mut |_, _| true).unwrap_err();
    assert!(error.to_string().contains("vgg12; expected one of vgg11, "));
}
