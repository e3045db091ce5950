//! What the programs log, and how a line of it is made safe: once, for every field there is.
//!
//! A log line carries bytes of others: titles, names, error texts of peers and servers, addresses. The
//! line is made without colours first, then everything in it that could move a cursor or reverse a line
//! becomes a visible escape, then the level is coloured, where somebody looks. So no field can be
//! forgotten, neither ours nor a library's. With `TOWLINE_LOG_FORMAT=json` a line is a JSON document, and
//! its escapes are JSON's. Writes to the standard error and nowhere else.

use std::fmt;
use std::io::{self, IsTerminal};

use towline_proto::text::{is_safe, show};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter, SubscriberBuilder};
use tracing_subscriber::registry::LookupSpan;

/// Longest line for people, in characters: a foreign text may be long.
const LINE_CHARS: usize = 4_000;
/// What chooses the format; anything but `json` is for people.
const FORMAT: &str = "TOWLINE_LOG_FORMAT";

/// Starts logging to the standard error; `filter` is in the words of `TOWLINE_LOG`.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let json = std::env::var_os(FORMAT).is_some_and(|format| format == "json");
    // Only fails when a logger is set already, and then that one is as good.
    let _ = if json {
        let subscriber = json_lines(io::stderr).with_env_filter(filter).finish();
        tracing::subscriber::set_global_default(subscriber)
    } else {
        let subscriber = lines(io::stderr, colour).with_env_filter(filter).finish();
        tracing::subscriber::set_global_default(subscriber)
    };
    // What a panic says may quote what came from elsewhere, too.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let said = payload.downcast_ref::<String>().map(String::as_str);
        let why = said
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        tracing::error!(at, why, "a thread panicked");
    }));
}

/// What [`start`] logs with for people, to another place: for whoever looks at what is logged.
pub fn to(writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) -> impl Subscriber + Send + Sync {
    lines(writer, false).finish()
}

type Lines<W, E, N> = SubscriberBuilder<N, E, tracing_subscriber::filter::LevelFilter, W>;

fn lines<W: for<'w> MakeWriter<'w> + 'static>(
    writer: W,
    colour: bool,
) -> Lines<W, ForPeople, format::DefaultFields> {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(writer)
        .event_format(ForPeople {
            inner: format::format().without_time().with_level(false).with_ansi(false),
            colour,
        })
}

fn json_lines<W: for<'w> MakeWriter<'w> + 'static>(writer: W) -> Lines<W, ForPrograms, format::JsonFields> {
    tracing_subscriber::fmt()
        .json()
        .with_writer(writer)
        .map_event_format(|inner| ForPrograms { inner })
}

/// A line for people: time, level, where, what.
struct ForPeople {
    inner: format::Format<format::Full, ()>,
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for ForPeople
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        SystemTime.format_time(&mut out)?;
        let level = *event.metadata().level();
        match self.colour.then_some(match level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            Level::DEBUG => 34,
            Level::TRACE => 35,
        }) {
            Some(ink) => write!(out, " \x1b[{ink}m{level:>5}\x1b[0m ")?,
            None => write!(out, " {level:>5} ")?,
        }
        writeln!(out, "{}", show(line.trim_end(), LINE_CHARS))
    }
}

/// A line for programs: one JSON document.
struct ForPrograms {
    inner: format::Format<format::Json>,
}

impl<S, N> FormatEvent<S, N> for ForPrograms
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        // Control characters below the space are escaped by the encoder; what is left stands in strings.
        for c in line.trim_end().chars() {
            if is_safe(c) {
                out.write_char(c)?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        out.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    /// Clears the screen, sets the title (C1), reverses the line, hides a letter, begins a line.
    const FOUL: &str = "a\x1b[2J\u{9b}31m\u{9d}0;x\u{9c}\u{202e}b\u{200b}\r\n2026 ERROR fake\u{7}";

    fn log_everything() {
        let span = tracing::error_span!("net", peer = FOUL, shown = %FOUL);
        let _inside = span.enter();
        let source = io::Error::other(FOUL);
        tracing::error!(title = FOUL, why = %FOUL, debug = ?FOUL, error = &source as &dyn std::error::Error, "said {FOUL}");
    }

    #[test]
    fn nothing_foreign_reaches_a_terminal_raw_in_any_field() {
        for colour in [false, true] {
            let kept = Kept::default();
            let writer = kept.clone();
            let subscriber = lines(move || writer.clone(), colour).finish();
            tracing::subscriber::with_default(subscriber, log_everything);
            let text = kept.text();
            let ours = text.replacen("\x1b[31mERROR\x1b[0m", "ERROR", 1);
            assert_eq!(ours != text, colour);
            assert_eq!(ours.lines().count(), 1, "{ours:?}");
            assert!(ours.trim_end().chars().all(is_safe), "{ours:?}");
            assert!(ours.contains("net{") && ours.contains("title="), "{ours:?}");
        }
    }

    #[test]
    fn json_stays_json_and_says_what_was_said() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = json_lines(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log_everything);
        let text = kept.text();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(text.trim_end().chars().all(is_safe), "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["title"], FOUL);
        assert_eq!(line["span"]["peer"], FOUL);
    }
}
