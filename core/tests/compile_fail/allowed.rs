//! What the other files try, in the allowed way. If this file does not compile, the others fail for another reason.

use insula_core::{
    Result,
    base::permissions::{Authorized, ProjectsCreate, ProjectsRead},
    storage::db::{Db, OrgTx},
    work::projects::{self, NewProject},
};

async fn read(
    db: &Db,
    authorized: Authorized<ProjectsRead>,
    id: insula_core::base::ids::ProjectId,
) -> Result<String> {
    let tx: OrgTx<ProjectsRead> = db.begin(authorized).await?;
    Ok(projects::get(&tx, id).await?.name)
}

async fn write(db: &Db, authorized: Authorized<ProjectsCreate>, new: NewProject) -> Result<()> {
    let tx = db.begin(authorized).await?;
    projects::create(&tx, new).await?;
    tx.commit().await
}
