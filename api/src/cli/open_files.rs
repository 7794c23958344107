//! The limit of open files of the process. Each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Number of files reserved for other uses than connections of clients: the database, e-mail, Redis, the ops
/// port.
const RESERVED: u64 = 256;

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
    let possible = most.map_or(usize::MAX, connections_for);
    if possible < wish {
        tracing::warn!(
            files = most,
            connections = possible,
            wish,
            "the limit of open files is too low for INSULA_MAX_CONNECTIONS: raise the hard limit (ulimit -Hn, LimitNOFILE)"
        );
    }
    wish.min(possible)
}

/// The number of files left for clients.
pub(super) fn connections_for(files: u64) -> usize {
    usize::try_from(files - RESERVED.min(files / 2)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_reserved_for_other_uses() {
        assert_eq!(
            (connections_for(1024), connections_for(65_536), connections_for(100), connections_for(0)),
            (768, 65_280, 50, 0)
        );
    }
}
