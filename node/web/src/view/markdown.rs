//! Markdown of items and comments to HTML that cannot run anything.
//!
//! Raw HTML is shown as text, images become links (the policy would not load them), headings go
//! below the page's own, and ammonia then lets through only what it knows, with http, https and
//! mailto links.

use std::collections::HashSet;

use maud::{Markup, PreEscaped};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

/// Renders many texts of one page.
pub(super) struct Renderer {
    cleaner: ammonia::Builder<'static>,
}

impl Renderer {
    pub(super) fn new() -> Self {
        let mut cleaner = ammonia::Builder::default();
        cleaner
            .url_schemes(HashSet::from(["http", "https", "mailto"]))
            .url_relative(ammonia::UrlRelative::Deny)
            .rm_tags(["img"])
            .link_rel(Some("noopener noreferrer nofollow"));
        Self { cleaner }
    }

    pub(super) fn render(&self, text: &str) -> Markup {
        let events =
            Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(sanitize_event);
        let mut html = String::with_capacity(text.len() * 3 / 2);
        push_html(&mut html, events);
        PreEscaped(self.cleaner.clean(&html).to_string())
    }
}

fn sanitize_event(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        Event::Start(Tag::Image {
            link_type, dest_url, ..
        }) => Event::Start(Tag::Link {
            link_type,
            dest_url,
            title: CowStr::Borrowed(""),
            id: CowStr::Borrowed(""),
        }),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    }
}

/// The page has the first heading and the section the second.
fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_body_can_run_or_load() {
        let html = Renderer::new()
            .render(
                "<script>alert(1)</script>\n\n<b onclick=x>bold</b> [a](javascript:alert(1)) \
                 [b](/logout) ![c](https://example.org/c.png) <https://example.org>",
            )
            .into_string();
        for bad in ["<script", "<b ", "javascript:", "<img", "\"/logout\""] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
        assert!(html.contains("&lt;script&gt;"), "{html}");
        assert!(
            html.contains("href=\"https://example.org/c.png\" rel=\"noopener noreferrer nofollow\""),
            "{html}"
        );
    }

    #[test]
    fn headings_stay_below_those_of_the_page() {
        let html = Renderer::new().render("# One\n\n###### Six").into_string();
        assert_eq!(html, "<h3>One</h3>\n<h6>Six</h6>\n");
    }
}
