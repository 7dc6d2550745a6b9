//! The only place that prints: results to standard output, progress to standard error.

#[expect(clippy::print_stdout, reason = "the one home of standard output")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the one home of standard error")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
