//! The program: reads the command line, runs it, prints the error chain, gives the exit code.

#![warn(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use vggscope::cli::{Command, UsageError, parse};
use vggscope::config::{Config, ConfigError};
use vggscope::pipeline::{Interrupt, Report};
use vggscope::terminal::Terminal;
use vggscope::{doctor, layers, pipeline};

/// Nothing went wrong, but not everything that was asked for is there.
const FAILED: u8 = 1;
/// The command cannot be run as it was typed.
const WRONG_USE: u8 = 2;
/// Ended by Ctrl-C: 128 and the signal's number, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Panics are bugs or libtorch giving up; both are reported as errors, not as a trace.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome =
        std::panic::catch_unwind(|| match parse(&std::env::args_os().collect::<Vec<_>>()) {
            Ok(cli) => run(cli.command),
            Err(UsageError::Clap(error)) => {
                // Help and version come this way too, with exit code 0.
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_USE))
            }
            Err(UsageError::File(error)) => fail(&error, WRONG_USE),
        });
    outcome.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        complain(&format!(
            "internal error: {}; please report it with the command you ran",
            text.unwrap_or("unknown cause")
        ));
        ExitCode::from(FAILED)
    })
}

fn run(command: Command) -> ExitCode {
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

fn checked(config: Result<Config, ConfigError>) -> ExitCode {
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
            std::process::exit(i32::from(INTERRUPTED));
        }
        terminal.note("ending after this step (Ctrl-C again ends at once)");
    });
    if let Err(error) = asked {
        complain(&format!("Ctrl-C will end the run at once: {error}"));
    }
}

fn conclude(report: &Report, quiet: bool) -> ExitCode {
    if !quiet {
        print(&(report.lines().join("\n") + "\n"));
    }
    for skipped in &report.skipped {
        complain(&format!("skipped: {skipped}"));
    }
    if report.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if report.skipped.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    }
}

/// A closed pipe (`vggscope layers | head`) is success: the reader has what it wanted.
fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error, FAILED),
    }
}

fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    complain(&pipeline::one_line(error));
    ExitCode::from(code)
}

/// One line on stderr; a closed stderr is nobody's problem.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}
