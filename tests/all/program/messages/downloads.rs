//! What is said of weights that are downloaded, by a server on this machine.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use super::Page;

/// The address of a server that gives each request this answer.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/models", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(&stream).lines().map_while(Result::ok);
            let _ = head.take_while(|line| !line.is_empty()).count();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn of_downloads() {
    let mut page = Page::new();
    let line = "images probes --weights imagenet --layers conv1_1 --run a";
    for (what, url) in [
        // Nothing listens on the discard port.
        ("offline", "http://127.0.0.1:9/models".to_owned()),
        (
            "a page that is not there",
            server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ),
        (
            "another file",
            server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry"),
        ),
        (
            "a connection that breaks off",
            server("HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n"),
        ),
        ("no address", "models".to_owned()),
    ] {
        page.weights_url = Some(url);
        let _ = writeln!(page.text, "The server: {what}");
        page.say(line);
    }
    page.say("images probes --weights imagenet --arch vgg9 --layers conv1_1 --run a");
    page.say("images probes --weights imagenets --layers conv1_1 --run a");
    page.is("downloads");
}
