//! Records what the program has acknowledged, and how it answered.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum RequestKind {
    Register,
    ResetPassword,
    CreateOrganization,
    CreateProject,
}

impl RequestKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Register => "registrations",
            Self::ResetPassword => "password resets",
            Self::CreateOrganization => "organizations",
            Self::CreateProject => "projects",
        }
    }
}

#[derive(Default)]
pub(crate) struct Acknowledged(Mutex<Records>);

/// Records of all clients.
#[derive(Clone, Default)]
pub(crate) struct Records {
    /// What was acknowledged, by name: an e-mail address, a slug, a code.
    pub(crate) acknowledged: BTreeMap<RequestKind, Vec<String>>,
    /// How often each status came; 0: the connection was cut.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Unexpected answers.
    pub(crate) unexpected: Vec<String>,
}

impl Acknowledged {
    pub(crate) fn add(&self, kind: RequestKind, name: &str) {
        self.write(|records| records.acknowledged.entry(kind).or_default().push(name.to_owned()));
    }

    pub(crate) fn record_status(&self, status: u16) {
        self.write(|records| *records.statuses.entry(status).or_default() += 1);
    }

    pub(crate) fn record_unexpected(&self, answer: String) {
        self.write(|records| records.unexpected.push(answer));
    }

    pub(crate) fn records(&self) -> Records {
        self.write(|records| records.clone())
    }

    fn write<T>(&self, change: impl FnOnce(&mut Records) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
