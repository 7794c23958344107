//! A small API for tests that uses every feature of the real one, and a client without a socket.

mod tenant;

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use insula_core::{
    base::{
        error::{Error, ErrorCode, MissingPermission},
        permissions::{Permission, ProjectsCreate, ProjectsRead},
    },
    runtime::config::CspMode,
};
use poem::{
    Endpoint, Request, Response, Route,
    endpoint::BoxEndpoint,
    get, handler,
    http::{Method, header},
};
use poem_openapi::{
    Enum, Object, OpenApi, Tags, Union,
    param::{Header, Path, Query},
    payload::Json,
    types::{Example, MaybeUndefined},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    body::{MergePatch, StrictJson},
    browser::origins::Origins,
    middleware::headers::Headers,
    problem::{Result, WithConflict, WithLoginErrors},
    server::Limits,
    texts,
};

pub(crate) const ID: &str = "0190b3a0-7c1e-7d2a-9f00-3a5c6e7f8091";

texts! {
    /// Slug of a project.
    Slug { length: 2..=40, pattern: "^[a-z0-9](-?[a-z0-9])*$", example: "blue-whale" }
    /// Display name.
    Name { length: 1..=80, example: "Blue whale" }
}

#[derive(Enum, Clone, Copy, Debug, PartialEq)]
#[oai(rename_all = "snake_case")]
pub(crate) enum Status {
    Active,
    Archived,
}

#[derive(Object, Clone, Debug)]
pub(crate) struct Member {
    pub(crate) user_id: Uuid,
    #[oai(validator(min_length = 1, max_length = 20))]
    pub(crate) role: String,
}

#[derive(Object, Debug)]
#[oai(example)]
pub(crate) struct NewProject {
    /// Display name.
    pub(crate) name: Name,
    pub(crate) slug: Slug,
    #[oai(nullable)]
    pub(crate) description: Option<String>,
    pub(crate) status: Option<Status>,
    #[oai(validator(minimum(value = "0"), maximum(value = "100", exclusive)))]
    pub(crate) budget: i32,
    pub(crate) due: Option<DateTime<Utc>>,
    #[oai(nullable)]
    pub(crate) starts: Option<NaiveDate>,
    #[oai(validator(max_items = 20))]
    pub(crate) members: Vec<Member>,
    #[oai(default, validator(max_items = 5, unique_items))]
    pub(crate) tags: Vec<String>,
    /// The responsible member.
    #[oai(nullable)]
    pub(crate) lead: Option<Member>,
    #[oai(default)]
    pub(crate) labels: HashMap<String, i64>,
}

impl Example for NewProject {
    fn example() -> Self {
        let member = Member { user_id: ID.parse().unwrap(), role: "editor".into() };
        Self {
            name: Name("Blue whale".into()),
            slug: Slug("blue-whale".into()),
            description: None,
            status: Some(Status::Active),
            budget: 42,
            due: Some("2026-01-31T09:30:00Z".parse().unwrap()),
            starts: None,
            members: vec![member.clone()],
            tags: vec!["sea".into()],
            lead: Some(member),
            labels: HashMap::from([("weight".into(), 150)]),
        }
    }
}

#[derive(Object, Debug)]
pub(crate) struct ProjectChange {
    pub(crate) name: Option<Name>,
    #[oai(nullable)]
    pub(crate) color: MaybeUndefined<Name>,
}

#[derive(Object, Debug)]
pub(crate) struct Archive {
    pub(crate) reason: Name,
}

#[derive(Object, Debug)]
pub(crate) struct Rename {
    pub(crate) name: Name,
    pub(crate) priority: Option<u8>,
}

#[derive(Union, Debug)]
#[oai(discriminator_name = "kind", one_of, rename_all = "snake_case")]
pub(crate) enum Action {
    Archive(Archive),
    Rename(Rename),
}

#[derive(Object)]
pub(crate) struct Project {
    id: Uuid,
    name: Name,
    status: Status,
    created_at: DateTime<Utc>,
    #[oai(nullable)]
    due: Option<DateTime<Utc>>,
    #[oai(nullable)]
    lead: Option<Member>,
}

impl Project {
    fn named(name: Name) -> Json<Self> {
        let created_at = DateTime::default();
        Json(Self { id: Uuid::nil(), name, status: Status::Active, created_at, due: None, lead: None })
    }
}

#[derive(Object)]
struct Projects {
    data: Vec<Project>,
    has_more: bool,
}

#[derive(Tags)]
enum Tag {
    /// Projects.
    Projects,
    /// Accounts.
    Accounts,
}

pub(crate) struct Demo;

#[OpenApi]
impl Demo {
    /// List the projects
    #[oai(
        path = "/organizations/:org/projects",
        method = "get",
        operation_id = "listProjects",
        tag = "Tag::Projects"
    )]
    async fn list(
        &self,
        #[oai(name = "org")] _org: tenant::Path<ProjectsRead>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<i32>>,
        status: Query<Option<Status>>,
        #[oai(name = "tag")] tags: Query<Vec<Slug>>,
    ) -> Result<Json<Projects>> {
        let name = Name(format!("{:?} {:?} {}", limit.0, status.0, tags.0.len()));
        Ok(Json(Projects { data: vec![Project::named(name).0], has_more: false }))
    }

    /// Create a project
    #[oai(
        path = "/organizations/:org/projects",
        method = "post",
        operation_id = "createProject",
        tag = "Tag::Projects"
    )]
    async fn create(
        &self,
        #[oai(name = "org")] _org: tenant::Path<ProjectsCreate>,
        new: StrictJson<NewProject>,
    ) -> Result<Json<Project>> {
        let digest = new.digest.map_or(String::new(), |digest| format!(" {:02x}", digest[0]));
        Ok(Project::named(Name(new.value.name.0 + &digest)))
    }

    /// Look at a project
    #[oai(
        path = "/organizations/:org/projects/:project",
        method = "get",
        operation_id = "getProject",
        tag = "Tag::Projects"
    )]
    async fn get(
        &self,
        #[oai(name = "org")] _org: tenant::Path<ProjectsRead>,
        project: Path<Uuid>,
        #[oai(name = "If-None-Match")] _version: Header<Option<String>>,
    ) -> Result<Json<Project>> {
        Ok(Project::named(Name(project.0.to_string())))
    }

    /// Change a project
    #[oai(
        path = "/organizations/:org/projects/:project",
        method = "patch",
        operation_id = "changeProject",
        tag = "Tag::Projects"
    )]
    async fn change(
        &self,
        #[oai(name = "org")] _org: tenant::Path<ProjectsCreate>,
        #[oai(name = "project")] _project: Path<Uuid>,
        #[oai(name = "If-Match")] _version: Header<Option<String>>,
        change: MergePatch<ProjectChange>,
    ) -> Result<Json<Project>> {
        Ok(Project::named(Name(format!("{:?}", change.body()?.color.map_value(|color| color.0)))))
    }

    /// Do something with a project
    #[oai(path = "/actions", method = "post", operation_id = "act", tag = "Tag::Projects")]
    async fn act(&self, action: StrictJson<Action>) -> Result<Json<Project>, WithLoginErrors> {
        match action.value {
            Action::Archive(archive) => Ok(Project::named(archive.reason)),
            Action::Rename(rename) => Ok(Project::named(rename.name)),
        }
    }

    /// Register
    #[oai(path = "/register", method = "post", operation_id = "register", tag = "Tag::Accounts")]
    async fn register(&self, new: StrictJson<ProjectChange>) -> Result<Json<Project>, WithConflict> {
        let name = new.value.name.ok_or(ErrorCode::EmailTaken.refuse())?;
        Ok(Project::named(name))
    }

    /// Fail in the way that is asked for
    #[oai(path = "/failures/:how", method = "get", operation_id = "fail", tag = "Tag::Accounts")]
    async fn fail(&self, how: Path<String>, #[oai(name = "X-Number")] _n: Header<Option<i32>>) -> Result<()> {
        Err(match &*how.0 {
            "panic" => panic!("the secret of the handler"),
            "broken" => Error::Internal("the secret of the program"),
            "busy" => Error::Unavailable { retry_after: Duration::from_millis(1500) },
            "poem" => return Err(poem::error::InternalServerError(std::io::Error::other("a secret")).into()),
            "slow" => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Ok(());
            }
            code => match ErrorCode::ALL.iter().find(|known| known.as_str() == code) {
                Some(code) => code.refuse(),
                None => Error::Forbidden(Box::new(MissingPermission {
                    permission: Permission::ProjectsRead,
                    roles_held: vec![],
                    roles_that_grant: vec![],
                })),
            },
        })?
    }
}

#[handler]
fn alive() -> &'static str {
    "alive"
}

#[handler]
async fn count(body: Vec<u8>) -> String {
    body.len().to_string()
}

/// The application with this API, with all middleware.
pub(crate) fn app(limits: Limits) -> BoxEndpoint<'static> {
    let outside = Route::new().at("/livez", get(alive)).at("/count", poem::post(count));
    let url = "https://insula.example";
    let (headers, origins) = (Headers::new(url, CspMode::Strict), Origins::new(url, &[]));
    let unknown = crate::middleware::access_log::UnknownPaths::Shown;
    crate::app::with_middleware::<Demo>(
        crate::app::mount_routes(Demo, outside),
        limits,
        headers,
        origins,
        unknown,
    )
    .unwrap()
}

/// A request with a token and a request id.
pub(crate) fn request(method: Method, uri: &str) -> poem::RequestBuilder {
    let request = Request::builder().method(method).uri(uri.parse().unwrap());
    request.header(header::AUTHORIZATION, "Bearer good").header("x-request-id", "test")
}

pub(crate) async fn send(request: Request) -> Response {
    app(Limits::default()).get_response(request).await
}

/// Status and JSON body of the response.
pub(crate) async fn ask(request: Request) -> (u16, Value) {
    let response = send(request).await;
    let status = response.status().as_u16();
    let body = response.into_body().into_vec().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) async fn post(path: &str, body: impl Into<Vec<u8>>) -> (u16, Value) {
    let request = request(Method::POST, path).content_type("application/json");
    ask(request.body(body.into())).await
}

/// `field code` of each error in a problem.
pub(crate) fn error_codes(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|e| format!("{} {}", e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
        .collect()
}
