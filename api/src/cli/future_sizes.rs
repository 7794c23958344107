//! The sizes of the futures of routes: a large future is copied when it is created, and every request creates one.

use std::{collections::HashMap, sync::Arc};

use insula_core::{
    base::crypto::{MasterKey, Secret},
    identity::credentials::Passwords,
    runtime::config::{Config, Sources},
    storage::db::{Db, Options},
};
use poem::{Request, endpoint::DynEndpoint, http::Method};
use poem_openapi::OpenApi;

/// The routes, and the bytes that their futures may have in a debug build.
const LIMITS: [(&str, Method, usize); 3] = [
    ("/users/me", Method::GET, 1),
    ("/organizations/:org/projects", Method::GET, 1),
    ("/organizations/:org/tasks", Method::POST, 1),
];

#[tokio::test]
async fn the_futures_of_routes_are_small() {
    let config = Config::read(&Sources::only(&[])).unwrap();
    // It connects only when it is used.
    let db = Db::connect("postgres://nobody@127.0.0.1/none", &Options::default()).await.unwrap();
    let master = MasterKey::new("a key of at least thirty-two characters".to_owned());
    let passwords = Passwords::new().unwrap();
    let state = super::serve::state(&config, &db, &master, passwords, "http://127.0.0.1");
    let mut routes = HashMap::new();
    insula_api::routes::routes(&Arc::new(state)).add_routes(&mut routes);
    for (path, method, limit) in LIMITS {
        let endpoint = &routes[path][&method];
        let future = DynEndpoint::call(&**endpoint, Request::default());
        let size = size_of_val(&*future);
        assert!(size <= limit, "the future of {method} {path} has {size} bytes instead of {limit}");
    }
}
