//! The sizes of the futures of routes: a large future is copied when it is created, and every request creates one.

use std::{collections::HashMap, sync::Arc};

use insula_core::{
    base::crypto::MasterKey,
    identity::credentials::Passwords,
    runtime::config::{Config, Sources},
    storage::db::{Db, Options},
};
use poem::{Request, endpoint::DynEndpoint, http::Method};
use poem_openapi::OpenApi;

/// The routes, as poem-openapi registers them, and the bytes that their futures may have in a debug build: a tenth more than in 2026-12.
const LIMITS: [(&str, Method, usize); 3] = [
    ("/users/me", Method::GET, 9_900),
    ("/organizations/:param0/projects", Method::GET, 10_200),
    ("/organizations/:param0/tasks", Method::POST, 11_600),
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
    let sizes = LIMITS.map(|(path, method, limit)| {
        let endpoint = &routes[path][&method];
        let future = DynEndpoint::call(&**endpoint, Request::default());
        (path, method, size_of_val(&*future), limit)
    });
    let small = |(_, _, size, limit): &(_, _, usize, usize)| size <= limit;
    assert!(sizes.iter().all(small), "route, bytes of its future, limit: {sizes:#?}");
}
