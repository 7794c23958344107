//! Who callers are and what they may do, remembered for a moment, so that a read costs no look-up of rights.
//!
//! Only reads believe what is remembered, and only a yes: a no is always looked up.

use std::{sync::Arc, time::Duration};

use super::authorize::{Caller, Standing, authorize};
use crate::{
    Result,
    access::{Authorized, Grant},
    cluster::{Remembered, Touch},
    db::Db,
    ids::{SessionId, UserId},
    organizations::OrgRef,
    sessions::{self, Claims},
    users::User,
};

/// One of a process.
pub struct Callers {
    db: Db,
    people: Remembered<(SessionId, UserId), Arc<User>>,
    standings: Remembered<(SessionId, UserId, OrgRef), Arc<Standing>>,
}

impl Callers {
    /// `ttl`: how long a change made by another process may go unnoticed when no Redis tells of it; zero remembers nothing.
    pub fn new(db: Db, ttl: Duration) -> Self {
        let (people, standings) = (Remembered::new(db.cluster(), ttl), Remembered::new(db.cluster(), ttl));
        Self { db, people, standings }
    }

    /// As [`sessions::authenticate`], from memory where it can be. For reads: what is written asks the database.
    ///
    /// # Errors
    /// Those of [`sessions::authenticate`].
    pub async fn recognize(&self, claims: &Claims) -> Result<User> {
        let key = (claims.session, claims.user);
        if let Some(user) = self.people.get(&key) {
            return Ok(User::clone(&user));
        }
        let asked = self.people.ask();
        let user = sessions::authenticate(&self.db, claims).await?;
        let depends_on = [Touch::Session(claims.session), Touch::User(claims.user)];
        self.people.keep(key, Arc::new(user.clone()), asked, &depends_on);
        Ok(user)
    }

    /// As [`authorize`], from memory where it can be and `P` only reads.
    ///
    /// # Errors
    /// Those of [`authorize`].
    pub async fn authorize<P: Grant>(&self, caller: &Caller, org: &OrgRef) -> Result<Authorized<P>> {
        if P::WRITES {
            return authorize(&self.db, caller, org).await;
        }
        let claims = &caller.claims;
        let key = (claims.session, claims.user, org.clone());
        if let Some(Ok(proof)) = self.standings.get(&key).map(|standing| standing.decide(caller)) {
            return Ok(proof);
        }
        let asked = self.standings.ask();
        let standing = Standing::look_up(&self.db, claims, org).await?;
        let proof = standing.decide(caller)?;
        let depends_on =
            [Touch::Session(claims.session), Touch::User(claims.user), Touch::Org(standing.organization)];
        self.standings.keep(key, Arc::new(standing), asked, &depends_on);
        Ok(proof)
    }
}
