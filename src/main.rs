//! The command line: see `commands`.

fn main() {}
