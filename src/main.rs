//! The program.

fn main() {
    vggscope::commands::program::main();
}
