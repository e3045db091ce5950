//! Members, invitations and peers.

use towline_api::types::{MemberInfo, PeerInfo};

use super::View;
use super::text::{ago_phrase, clean, expiry, fit, pad, width};
use crate::style::Ink;

/// Widest name, in columns.
const NAME: usize = 32;

/// Members, then open invitations.
pub(super) fn members(view: &View, members: &[MemberInfo]) -> String {
    let (here, invited): (Vec<_>, Vec<_>) = members.iter().partition(|member| member.node.is_some());
    let mut page = String::new();
    let widest = here.iter().map(|member| width(&clean(&member.name))).max();
    let widest = widest.unwrap_or(0).min(NAME);
    for member in here {
        let id = member.node.map_or_else(String::new, |node| node.short());
        let me = if member.me { "  (this node)" } else { "" };
        page.push_str(&format!(
            "{}  {}  {}  {}{me}\n",
            view.style
                .paint(Ink::Bold, &pad(&fit(&clean(&member.name), widest), widest)),
            pad(member.role.as_str(), 10),
            view.style.paint(Ink::Dim, &id),
            view.style
                .paint(Ink::Dim, &format!("since {}", ago_phrase(view.now, member.at))),
        ));
    }
    if !invited.is_empty() {
        page.push_str(&format!(
            "\n{}\n",
            view.style.paint(Ink::Bold, "Open invitations")
        ));
    }
    for invitation in invited {
        page.push_str(&format!(
            "  {}  {}  {}\n",
            clean(invitation.ticket.as_deref().unwrap_or("?")),
            pad(invitation.role.as_str(), 10),
            expiry(view.now, invitation.at)
        ));
    }
    page
}

/// Connected peers.
pub(super) fn peers(view: &View, peers: &[PeerInfo]) -> String {
    let widest = peers.iter().map(|peer| width(&clean(&peer.name))).max();
    let widest = widest.unwrap_or(0).min(NAME);
    peers
        .iter()
        .map(|peer| {
            let (state, ink) = if peer.in_sync {
                ("in sync", Ink::Green)
            } else {
                ("behind ", Ink::Yellow)
            };
            format!(
                "{}  {}  {}  {}  {}\n",
                view.style
                    .paint(Ink::Bold, &pad(&fit(&clean(&peer.name), widest), widest)),
                view.style.paint(ink, state),
                view.style.paint(Ink::Dim, &peer.node.short()),
                clean(&peer.address),
                view.style.paint(
                    Ink::Dim,
                    &format!("last seen {}", ago_phrase(view.now, peer.seen_at))
                )
            )
        })
        .collect()
}
