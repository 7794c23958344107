//! `/admin`: what operators of the platform may ask.

pub(super) mod users;
