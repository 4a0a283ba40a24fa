//! The program: parses the command line, runs it, prints the error chain, gives the exit code.

use std::io::Write as _;
use std::sync::Arc;

use super::checkpoints::{self, merge};
use super::context::Context;
use super::error::{CommandError, Ends, RunError, ends, is_wrong_use};
use super::export::Exported;
use super::remedy::explain;
use super::report::{Report, counted};
use super::terminal::Terminal;
use super::{compare, diff, doctor, export, images, inspect, layers, train, view};
use crate::device::{BackendError, caught};
use crate::interrupt::Interrupt;
use crate::one_line::{panic_text, printable};
use crate::settings::{Command, ExportSettings, UsageError, completions, manual_page, parse};

const DONE: u8 = 0;
/// Something failed or was skipped.
const FAILED: u8 = 1;
/// The command cannot be run as it was typed.
const WRONG_USE: u8 = 2;
/// Ended by a signal: 128 and its number, as shells have it.
const BY_SIGNAL: i32 = 128;

pub fn main() -> ! {
    // Panics come from libtorch's exceptions or are bugs; both are reported as errors, without a trace.
    std::panic::set_hook(Box::new(|_| {}));
    #[cfg(unix)]
    report_full_files();
    let outcome =
        std::panic::catch_unwind(|| match parse(&std::env::args_os().collect::<Vec<_>>()) {
            Ok((command, note)) => {
                if let Some(note) = note.filter(|_| !command.is_quiet()) {
                    Terminal::new(false).note(&note);
                }
                run(command)
            }
            Err(UsageError::Clap(error)) => {
                // Help and version come this way too, with exit code 0.
                let code = u8::try_from(error.exit_code()).unwrap_or(WRONG_USE);
                code.max(printed(error.print()))
            }
            Err(error) => fail(&error, WRONG_USE),
        });
    exit(outcome.unwrap_or_else(|payload| {
        let error = BackendError::of(panic_text(payload.as_ref()));
        fail(&error, FAILED)
    }))
}

/// Ends the process without running the destructors of libtorch: they take a tenth of a second, and crash
/// while another thread computes. Everything that is to be written has been.
fn exit(code: u8) -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(i32::from(code));
    #[cfg(not(unix))]
    std::process::exit(i32::from(code));
}

fn run(command: Command) -> u8 {
    let quiet = command.is_quiet();
    if let Err(error) = command.check_paths() {
        let code = if command.is_wrong_use(&error) {
            WRONG_USE
        } else {
            FAILED
        };
        return fail(&error, code);
    }
    let ended = match command {
        Command::Images(mut settings) => {
            log_run(quiet, |context| images::run(&mut settings, context))
        }
        Command::Checkpoints(mut settings) => {
            log_run(quiet, |context| checkpoints::run(&mut settings, context))
        }
        Command::Train(mut settings) => {
            log_run(quiet, |context| train::run(&mut settings, context))
        }
        Command::Merge(settings) => log_run(quiet, |context| merge::run(&settings, context)),
        Command::Compare(mut settings) => {
            log_run(quiet, |context| compare::run(&mut settings, context))
        }
        Command::Layers(settings) => match layers::table(&settings) {
            Ok(table) => Ok(print(&table)),
            Err(error) => return fail(&*error, WRONG_USE),
        },
        // As diff(1) ends: 0 if the weights are equal, 1 if they differ, 2 if that cannot be said.
        Command::Diff(settings) => {
            let compared = caught(|| diff::compare(&settings, &Terminal::new(false)));
            match compared.unwrap_or_else(|panic| Err(panic.into())) {
                Ok((text, is_equal)) if print(&text) == DONE => Ok(u8::from(!is_equal)),
                Ok(_) => Ok(WRONG_USE),
                Err(error) => return fail(&*error, WRONG_USE),
            }
        }
        Command::Inspect(settings) => inspect::inspect(&settings)
            .map(|(text, is_whole)| print(&text).max(u8::from(!is_whole))),
        Command::Export(settings) => {
            export::export(&settings).map(|exported| report_export(&settings, &exported))
        }
        Command::View(settings) => view::view(&settings, print),
        Command::Doctor => Ok(print(&doctor::report())),
        Command::Completions { shell } => Ok(print(&completions(shell))),
        Command::Man { command } => manual_page(command.as_deref())
            .map(|page| print(&page))
            .map_err(RunError::from),
    };
    ended.unwrap_or_else(|error| {
        let code = if is_wrong_use(&*error) {
            WRONG_USE
        } else {
            FAILED
        };
        fail(&*error, code)
    })
}

fn log_run(
    quiet: bool,
    run: impl FnOnce(&Context) -> Result<Report, RunError>,
) -> Result<u8, RunError> {
    let context = Context {
        terminal: Arc::new(Terminal::new(quiet)),
        interrupt: Interrupt::default(),
    };
    end_on_signals(context.interrupt.clone(), Arc::clone(&context.terminal))
        .map_err(|source| {
            CommandError::failed("cannot start the thread that waits for Ctrl-C; raise the limit on processes (ulimit -u)")
                .because(source)
        })?;
    match run(&context) {
        Ok(report) => Ok(conclude(&report, quiet)),
        Err(error) => {
            context.terminal.end();
            if !ends(&*error, Ends::NothingToDo) {
                return Err(error);
            }
            context.terminal.note(&explain(&*error));
            Ok(DONE)
        }
    }
}

fn report_export(settings: &ExportSettings, exported: &Exported) -> u8 {
    let code = report_skipped(&exported.skipped);
    Terminal::new(false).notes(&exported.notes);
    let files = counted(exported.files as u64, "file");
    print(&format!("{}: {files}\n", settings.out.display())).max(code)
}

/// A file that gets larger than it may (`ulimit -f`) is an error of its write, not the end of the process.
#[cfg(unix)]
fn report_full_files() {
    // Where that does not work, the signal ends the process.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

/// The first Ctrl-C, SIGTERM (Slurm and Kubernetes send it) or closed terminal lets the current step finish, a
/// second one does not wait; but a terminal that closes may say so twice.
#[cfg(unix)]
fn end_on_signals(interrupt: Interrupt, terminal: Arc<Terminal>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    if !outlives_terminal() {
        signals.add_signal(SIGHUP)?;
    }
    let wait = move || {
        for signal in signals.forever() {
            if signal != SIGHUP || !interrupt.is_requested() {
                end_after_step(&interrupt, &terminal, signal);
            }
        }
    };
    std::thread::Builder::new().spawn(wait).map(drop)
}

/// Whether the process was started to ignore that its terminal is closed, as by nohup.
#[cfg(unix)]
fn outlives_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| {
        let mask = line.strip_prefix("SigIgn:")?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    // Without /proc: nohup takes the terminal's place.
    ignored.map_or_else(
        || !std::io::IsTerminal::is_terminal(&std::io::stderr()),
        |mask| mask & 1 << (signal_hook::consts::SIGHUP - 1) != 0,
    )
}

/// The first Ctrl-C lets the current step finish, a second one does not wait.
#[cfg(not(unix))]
fn end_on_signals(interrupt: Interrupt, terminal: Arc<Terminal>) -> std::io::Result<()> {
    const SIGINT: i32 = 2;
    let set = ctrlc::set_handler(move || end_after_step(&interrupt, &terminal, SIGINT));
    set.map_err(std::io::Error::other)
}

fn end_after_step(interrupt: &Interrupt, terminal: &Terminal, signal: i32) {
    let again = interrupt.is_requested();
    if again || !interrupt.request(signal) {
        terminal.end();
        interrupt.do_last_work();
        exit(by_signal(signal));
    }
    terminal.note("ending after this step (Ctrl-C again ends at once)");
}

fn by_signal(signal: i32) -> u8 {
    u8::try_from(BY_SIGNAL + signal).unwrap_or(FAILED)
}

fn conclude(report: &Report, quiet: bool) -> u8 {
    let printed = if quiet {
        DONE
    } else {
        print(&(report.lines().join("\n") + "\n"))
    };
    let mut code = report_skipped(&report.skipped).max(printed);
    if !report.failed.is_empty() {
        print_error(&report.failed.join("; "));
        code = code.max(FAILED);
    }
    report.interrupted.map_or(code, by_signal)
}

fn report_skipped(skipped: &[String]) -> u8 {
    for why in skipped {
        print_error(&format!("skipped: {why}"));
    }
    if skipped.is_empty() { DONE } else { FAILED }
}

fn print(text: &str) -> u8 {
    let mut out = std::io::stdout().lock();
    let text = printable(text);
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A closed pipe (`vggscope layers | head`) is success: the reader has what it wanted.
fn printed(result: std::io::Result<()>) -> u8 {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            print_error(&format!("cannot write to the standard output: {error}"));
            FAILED
        }
        _ => DONE,
    }
}

fn fail(error: &(dyn std::error::Error + 'static), code: u8) -> u8 {
    let text = explain(error);
    match error.downcast_ref() {
        Some(BackendError::Other(_)) => print_error(&format!(
            "unexpected failure: {text}; please report it with the command you ran"
        )),
        _ => print_error(&text),
    }
    code
}

/// One line on stderr; whether stderr is closed does not matter.
fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {}", printable(text));
}
