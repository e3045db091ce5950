//! The lines of README.md, pasted as they stand: by a user who is not root, in a network without IPv6, with an
//! empty home directory, and with or without a name that git knows.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use towline_tests::process::{finish, program, world};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The commands of the README's console blocks. Its one placeholder is the ticket.
fn lines() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().filter_map(|line| line.strip_prefix("$ "));
    let lines: Vec<_> = lines.map(str::to_owned).collect();
    assert!(lines.len() > 8, "{lines:?}");
    lines
}

/// One script out of the lines. What runs in the foreground goes on beside the rest, as in a second terminal, until
/// it has said that it is up; whoever joins is somebody else, in a directory and with a home of their own.
fn script(lines: &[String]) -> String {
    let mut script = String::from(
        "set -eu\n\
         end() { [ -z \"${NODE:-}\" ] || { kill $NODE; wait $NODE || true; }; }\n\
         trap end EXIT\n",
    );
    for line in lines {
        let _ = writeln!(script, "echo '$' {}", quoted(line));
        if line.starts_with("cargo install") {
            // What it comes to is prepared: the program is built already, and on the path.
            let package = line.split(' ').next_back().unwrap_or_default();
            let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
            assert!(manifest.contains("[[bin]]\nname = \"towline\""), "{line}");
        } else if line.starts_with("towline up") {
            let _ = writeln!(script, "mkfifo \"$TOP/said\"");
            let _ = writeln!(script, "{} >\"$TOP/said\" & NODE=$!", without_remark(line));
            let _ = writeln!(script, "exec 9<\"$TOP/said\"");
            let _ = writeln!(
                script,
                "while read -r said <&9; do echo \"$said\"; case $said in 'sign in:'*) LINK=${{said#sign in: }}; break;; esac; done"
            );
            let _ = writeln!(script, "[ -n \"${{LINK:-}}\" ]");
        } else if line.starts_with("towline invite") {
            let _ = writeln!(script, "TICKET=$({line}\n)");
        } else if line.contains("TICKET") {
            let _ = writeln!(script, "cd \"$TOP/other\"; export HOME=\"$TOP/other-home\"");
            let _ = writeln!(script, "{}", line.replacen("TICKET", "$TICKET", 1));
        } else {
            let _ = writeln!(script, "{line}");
        }
    }
    // Where the sign-in link leads, by hand: nothing else of a browser is needed.
    script.push_str(
        "cd \"$TOP/repository\"; echo ---; towline log; echo ---\n\
         PORT=${LINK#*//*:}; PORT=${PORT%%/*}\n\
         get() { exec 8<>/dev/tcp/127.0.0.1/$PORT\n\
         printf 'GET %s HTTP/1.1\\r\\nHost: 127.0.0.1:%s\\r\\nCookie: %s\\r\\nConnection: close\\r\\n\\r\\n' \"$1\" $PORT \"$2\" >&8\n\
         cat <&8; exec 8>&-; }\n\
         COOKIE=$(get \"/${LINK#*//*/}\" '' | sed -n 's/^[Ss]et-[Cc]ookie: \\([^;]*\\).*/\\1/p')\n\
         NAME=$(basename \"$PWD\"); get \"/p/$NAME\" \"$COOKIE\"\n",
    );
    script
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', "'\\''"))
}

fn without_remark(line: &str) -> &str {
    line.split(" #").next().unwrap_or(line)
}

/// Runs the lines in a fresh repository, and gives what was printed.
fn pasted(network: &[String], git_name: Option<&str>) -> String {
    let top = tempfile::tempdir().unwrap();
    let top = top.path();
    world::give_away(top);
    let built = world::for_everybody(&program("towline"), &top.join("bin"));
    for name in ["repository", "home", "other", "other-home"] {
        fs::create_dir(top.join(name)).unwrap();
        world::give_away(&top.join(name));
    }
    if let Some(name) = git_name {
        let config = format!("[user]\n\tname = {name}\n\temail = ada@example.org\n");
        fs::write(top.join("home/.gitconfig"), config).unwrap();
    }
    fs::write(top.join("script"), script(&lines())).unwrap();
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin",
        built.parent().unwrap().display()
    );
    let shell = "cd \"$TOP/repository\" && git init -q && exec bash \"$TOP/script\"";
    let mut command;
    if world::is_root() {
        command = world::wrapped(network, Path::new("setpriv"));
        let id = world::NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "bash"]);
    } else {
        command = world::wrapped(network, Path::new("bash"));
    }
    command.args(["-c", shell]);
    // Nothing of who runs the test, and no variable of ours.
    command
        .env_clear()
        .env("PATH", path)
        .env("TOP", top)
        .env("HOME", top.join("home"))
        .env("TMPDIR", top)
        .env("LANG", "C.UTF-8");
    let outcome = finish(command);
    eprintln!("{outcome}");
    outcome.ok()
}

#[test]
fn the_lines_of_the_readme_work_as_they_stand() {
    // The README's node listens everywhere.
    let network = world::lonely_network();
    let account = Command::new("id").arg("-un").output().unwrap().stdout;
    let account = String::from_utf8(account).unwrap().trim().to_owned();
    let account = if world::is_root() {
        "nobody".to_owned()
    } else {
        account
    };
    for (git_name, who) in [(Some("Ada"), "Ada"), (None, account.as_str())] {
        let said = pasted(&network, git_name);
        let mut parts = said.split("\n---\n");
        let (shown, log, page) = (
            parts.next().unwrap(),
            parts.next().unwrap(),
            parts.next().unwrap(),
        );
        let by = format!("{who} @");
        assert!(
            log.lines().filter(|line| line.contains(&by)).count() >= 2,
            "{who}: {log}"
        );
        let signed_in = format!("Signed in as </span><strong>{who}</strong>");
        assert!(page.contains(&signed_in), "{who}: {page}");
        let (_, there) = shown.split_once("$ towline join").unwrap();
        assert!(
            there.contains("The lamp flickers"),
            "the same items there: {there}"
        );
    }
}
