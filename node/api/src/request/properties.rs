//! What the engine and the transports need to know about each request. Each match is exhaustive, so that a new
//! request is not forgotten.

use super::Request;

impl Request {
    /// Whether it processes a whole project or imports many items, so that it may take long.
    pub const fn is_long(&self) -> bool {
        match self {
            Self::Doctor
            | Self::Rebuild
            | Self::Export { .. }
            | Self::ExportLines { .. }
            | Self::ExportEntries { .. }
            | Self::ImportEntries { .. }
            | Self::ImportItems { .. }
            | Self::ImportRelations { .. }
            | Self::ImportLines { .. }
            | Self::ImportSettings { .. } => true,
            Self::DryRun { of } | Self::Idempotent { of, .. } => of.is_long(),
            Self::List(_)
            | Self::Show { .. }
            | Self::Search { .. }
            | Self::Ready { .. }
            | Self::ClaimReady { .. }
            | Self::Settings
            | Self::Set { .. }
            | Self::SettingsLine
            | Self::Conflicts { .. }
            | Self::Explain { .. }
            | Self::Log { .. }
            | Self::Status
            | Self::Members
            | Self::Peers
            | Self::Addresses
            | Self::Events { .. }
            | Self::Create(_)
            | Self::Edit(_)
            | Self::Transition(_)
            | Self::Label { .. }
            | Self::Depends { .. }
            | Self::Link { .. }
            | Self::Comment { .. }
            | Self::AddCriterion { .. }
            | Self::SetCriterion { .. }
            | Self::Resolve { .. }
            | Self::Invite { .. }
            | Self::Revoke { .. }
            | Self::SyncStatus => false,
        }
    }

    /// Whether it changes something, so that it needs an origin and a sync of the log.
    pub const fn writes(&self) -> bool {
        match self {
            Self::List(_)
            | Self::Show { .. }
            | Self::Search { .. }
            | Self::Ready { .. }
            | Self::Settings
            | Self::SettingsLine
            | Self::Conflicts { .. }
            | Self::Explain { .. }
            | Self::Log { .. }
            | Self::Status
            | Self::Doctor
            | Self::Members
            | Self::Peers
            | Self::Addresses
            | Self::Export { .. }
            | Self::ExportLines { .. }
            | Self::ExportEntries { .. }
            | Self::ImportEntries { .. }
            | Self::Events { .. }
            | Self::Rebuild
            | Self::SyncStatus
            | Self::DryRun { .. } => false,
            Self::Idempotent { of, .. } => of.writes(),
            Self::Create(_)
            | Self::ClaimReady { .. }
            | Self::Set { .. }
            | Self::ImportSettings { .. }
            | Self::Edit(_)
            | Self::Transition(_)
            | Self::Label { .. }
            | Self::Depends { .. }
            | Self::Link { .. }
            | Self::Comment { .. }
            | Self::AddCriterion { .. }
            | Self::SetCriterion { .. }
            | Self::Resolve { .. }
            | Self::ImportItems { .. }
            | Self::ImportRelations { .. }
            | Self::ImportLines { .. }
            | Self::Invite { .. }
            | Self::Revoke { .. } => true,
        }
    }
}
