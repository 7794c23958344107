//! What the cheats try, done as it should be: if this does not compile, theirs fail for another reason.

use insula_core::{
    Result,
    base::permissions::{Authorized, ProjectsCreate, ProjectsRead},
    storage::db::{Db, OrgTx},
    work::projects::{self, NewProject},
};

pub(crate) async fn look(
    db: &Db,
    proof: Authorized<ProjectsRead>,
    id: insula_core::base::ids::ProjectId,
) -> Result<String> {
    let tx: OrgTx<ProjectsRead> = db.begin(proof).await?;
    Ok(projects::get(&tx, id).await?.name)
}

pub(crate) async fn add(db: &Db, proof: Authorized<ProjectsCreate>, new: NewProject) -> Result<()> {
    let tx = db.begin(proof).await?;
    projects::create(&tx, new).await?;
    tx.commit().await
}
