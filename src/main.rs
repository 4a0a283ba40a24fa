//! The program.

fn main() {
    vggscope::program::main();
}
