//! The program: reads the command line, runs it, prints the error chain, gives the exit code.

#![warn(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::sync::Arc;

use vggscope::cli::{Command, UsageError, parse};
use vggscope::config::{Config, ConfigError};
use vggscope::pipeline::{Interrupt, Report};
use vggscope::terminal::Terminal;
use vggscope::{doctor, layers, pipeline};

/// All that was asked for is there.
const DONE: u8 = 0;
/// Nothing went wrong, but not everything that was asked for is there.
const FAILED: u8 = 1;
/// The command cannot be run as it was typed.
const WRONG_USE: u8 = 2;
/// Ended by Ctrl-C: 128 and the signal's number, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() {
    // Panics are bugs or libtorch giving up; both are reported as errors, not as a trace.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome =
        std::panic::catch_unwind(|| match parse(&std::env::args_os().collect::<Vec<_>>()) {
            Ok(cli) => run(cli.command),
            Err(UsageError::Clap(error)) => {
                // Help and version come this way too, with exit code 0.
                let _ = error.print();
                u8::try_from(error.exit_code()).unwrap_or(WRONG_USE)
            }
            Err(UsageError::File(error)) => fail(&error, WRONG_USE),
        });
    leave(outcome.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        complain(&format!(
            "internal error: {}; please report it with the command you ran",
            text.unwrap_or("unknown cause")
        ));
        FAILED
    }))
}

/// Ends the process without running the destructors of libtorch: they take a tenth of a second, and crash
/// while another thread computes. Everything that is to be written has been.
fn leave(code: u8) -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(i32::from(code));
    #[cfg(not(unix))]
    std::process::exit(i32::from(code));
}

fn run(command: Command) -> u8 {
    match command {
        Command::Images(args) => checked(Config::for_images(args)),
        Command::Checkpoints(args) => checked(Config::for_checkpoints(args)),
        Command::Train(args) => checked(Config::for_training(*args)),
        Command::Layers(args) => match layers::table(&args) {
            Ok(table) => print(&table),
            Err(error) => fail(&error, WRONG_USE),
        },
        Command::Doctor => print(&doctor::report()),
    }
}

fn checked(config: Result<Config, ConfigError>) -> u8 {
    let config = match config {
        Ok(config) => config,
        Err(error) => return fail(&error, WRONG_USE),
    };
    let terminal = Arc::new(Terminal::new(config.quiet));
    let interrupt = Interrupt::default();
    end_on_ctrl_c(interrupt.clone(), Arc::clone(&terminal));
    match pipeline::run(&config, &terminal, &interrupt) {
        Ok(report) => conclude(&report, config.quiet),
        Err(error) => {
            terminal.end();
            let code = if error.is_wrong_use() {
                WRONG_USE
            } else {
                FAILED
            };
            fail(&error, code)
        }
    }
}

/// The first Ctrl-C lets the current step come to its end, a second one does not wait.
fn end_on_ctrl_c(interrupt: Interrupt, terminal: Arc<Terminal>) {
    let asked = ctrlc::set_handler(move || {
        let again = interrupt.is_asked();
        if again || !interrupt.ask() {
            terminal.end();
            leave(INTERRUPTED);
        }
        terminal.note("ending after this step (Ctrl-C again ends at once)");
    });
    if let Err(error) = asked {
        complain(&format!("Ctrl-C will end the run at once: {error}"));
    }
}

fn conclude(report: &Report, quiet: bool) -> u8 {
    if !quiet {
        print(&(report.lines().join("\n") + "\n"));
    }
    for skipped in &report.skipped {
        complain(&format!("skipped: {skipped}"));
    }
    if report.interrupted {
        INTERRUPTED
    } else if report.skipped.is_empty() {
        DONE
    } else {
        FAILED
    }
}

/// A closed pipe (`vggscope layers | head`) is success: the reader has what it wanted.
fn print(text: &str) -> u8 {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => DONE,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => DONE,
        Err(error) => fail(&error, FAILED),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> u8 {
    complain(&pipeline::one_line(error));
    code
}

/// One line on stderr; a closed stderr is nobody's problem.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}
