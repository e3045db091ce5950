//! The `towline` program: everything it does is in `towline_node::cli`.

fn main() -> std::process::ExitCode {
    towline_node::cli::main()
}
