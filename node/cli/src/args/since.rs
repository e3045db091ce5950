//! A moment in the past as people type it: a duration before now, a day, or a time.
//!
//! Parsing reads no clock: [`Since::resolve`] gets the time and the time zone from its caller.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use towline_proto::Millis;

/// When a filter begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// So long before now.
    Ago(Duration),
    /// The beginning of a day where the reader is.
    Day(Date),
    /// A time.
    Time(Millis),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ago) = super::duration(text) {
            return Ok(Self::Ago(ago));
        }
        // Without this check a time would be read as its day.
        if text.len() == "2026-11-30".len()
            && let Ok(day) = text.parse()
        {
            return Ok(Self::Day(day));
        }
        let wrong = |_| {
            "expected a duration up to 366d such as 12h or 7d, a day such as 2026-11-30, or a time such as \
             2026-11-30T09:00:00Z"
                .to_owned()
        };
        text.parse().map(Self::Time).map_err(wrong)
    }
}

impl Since {
    /// The time that it means at `now`.
    pub(crate) fn resolve(&self, now: Millis, zone: &TimeZone) -> Millis {
        match self {
            Self::Ago(ago) => Millis(
                now.0
                    .saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)),
            ),
            Self::Day(day) => {
                let start = day.to_zoned(zone.clone()).map(|start| start.timestamp());
                let ms = start.map_or(0, |start| start.as_millisecond());
                Millis(u64::try_from(ms).unwrap_or(0))
            }
            Self::Time(time) => *time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_a_day_and_a_time_are_moments() {
        let now = Millis(1_795_176_000_000);
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let at = |text: &str| text.parse::<Since>().unwrap().resolve(now, &zone).to_string();
        assert_eq!(at("7d"), Millis(now.0 - 7 * 86_400_000).to_string());
        assert_eq!(at("2026-11-30"), "2026-11-29T22:00:00Z");
        assert_eq!(at("2026-11-30T09:00:00Z"), "2026-11-30T09:00:00Z");
        for wrong in ["", "7", "yesterday", "2026-13-01", "2026-11-30T09", "900d", "-3d"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
