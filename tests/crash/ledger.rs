//! What the program has acknowledged, and how it answered.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Deed {
    Register,
    Reset,
    Found,
    Plan,
}

impl Deed {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Register => "registrations",
            Self::Reset => "password resets",
            Self::Found => "organizations",
            Self::Plan => "projects",
        }
    }
}

#[derive(Default)]
pub(crate) struct Ledger(Mutex<Pages>);

/// Written by all clients.
#[derive(Clone, Default)]
pub(crate) struct Pages {
    /// What was acknowledged, by the name it was given: an address, a slug, a code.
    pub(crate) acknowledged: BTreeMap<Deed, Vec<String>>,
    /// How often each status came; 0: the connection was cut.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Answers that must not be.
    pub(crate) improper: Vec<String>,
}

impl Ledger {
    pub(crate) fn acknowledge(&self, deed: Deed, name: &str) {
        self.write(|pages| pages.acknowledged.entry(deed).or_default().push(name.to_owned()));
    }

    pub(crate) fn answered(&self, status: u16) {
        self.write(|pages| *pages.statuses.entry(status).or_default() += 1);
    }

    pub(crate) fn complain(&self, answer: String) {
        self.write(|pages| pages.improper.push(answer));
    }

    pub(crate) fn pages(&self) -> Pages {
        self.write(|pages| pages.clone())
    }

    fn write<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
