//! The limit of open files of the process. Each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Number of files reserved for other uses than connections of clients: the database, e-mail, Redis, the ops
/// port.
const OWN: u64 = 256;

/// The number of connections that are possible, at most `wish`. Raises the soft limit of the process to its
/// hard limit, which needs no privileges. The usual default (1,024) is for programs that use `select`.
pub(super) fn connections(wish: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            limit.current
        }
    };
    // `None`: there is no limit.
    let room = most.map_or(usize::MAX, room);
    if room < wish {
        tracing::warn!(
            files = most,
            connections = room,
            wish,
            "the limit of open files is too low for INSULA_MAX_CONNECTIONS: raise the hard limit (ulimit -Hn, LimitNOFILE)"
        );
    }
    wish.min(room)
}

/// The number of files left for clients.
fn room(files: u64) -> usize {
    usize::try_from(files - OWN.min(files / 2)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_reserved_for_other_uses() {
        assert_eq!((room(1024), room(65_536), room(100), room(0)), (768, 65_280, 50, 0));
    }
}
