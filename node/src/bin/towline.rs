//! The `towline` program: the command line of `towline-cli`, with a node that it can run.

fn main() -> std::process::ExitCode {
    towline_cli::main(&towline_node::launcher::NodeLauncher)
}
