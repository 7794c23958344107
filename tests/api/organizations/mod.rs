//! The organization itself: its lifecycle, settings, slugs and ownership.

mod lifecycle;
mod search;
mod settings;
mod slugs;
mod states;
mod transfer_races;
mod transfers;
