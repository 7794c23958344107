//! Lists in pages: complete, ordered and without repetition during writes; and cursors that fit one list.

use std::collections::HashSet;

use chrono::DateTime;
use insula_tests::{Client, OrgWithOwner, Reply, unique};
use serde_json::{Value, json};

const PROJECTS: &str = "/api/v1/organizations/{org}/projects";
const SORTS: [&str; 6] = ["created_at", "-created_at", "name", "-name", "code", "-code"];

/// Names that put an order to the test: equal ones, cases, letters beyond ASCII.
const NAMES: [&str; 7] = ["apple", "Apple", "Äpfel", "apple", "zebra", "10", "9"];

async fn make(owner: &Client, number: usize) -> Value {
    let name = NAMES[number % NAMES.len()];
    let code = format!("{}{number}", ["x", "Y"][number % 2]);
    owner.post(PROJECTS, json!({ "code": code, "name": name })).await.expect(201)
}

async fn make_many(owner: &Client, number: usize) -> Vec<Value> {
    let mut projects = Vec::new();
    for number in 0..number {
        projects.push(make(owner, number).await);
    }
    projects
}

fn ids(projects: &[Value]) -> Vec<String> {
    projects.iter().map(|project| project["id"].as_str().unwrap().to_owned()).collect()
}

/// As the list is promised to order them: byte by byte, equal ones by id.
fn sorted(mut projects: Vec<Value>, sort: &str) -> Vec<Value> {
    let key = sort.trim_start_matches('-');
    let of = |project: &Value| {
        let (text, id) = (project[key].as_str().unwrap(), project["id"].as_str().unwrap().to_owned());
        match key {
            "created_at" => {
                (DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros(), String::new(), id)
            }
            "code" => (0, text.to_lowercase(), id),
            _ => (0, text.to_owned(), id),
        }
    };
    projects.sort_by_key(of);
    if sort.starts_with('-') {
        projects.reverse();
    }
    projects
}

/// Where `Link` leads.
fn link(page: &Reply) -> Option<&str> {
    page.header("link")?.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")
}

fn data(page: &Value) -> Vec<Value> {
    page["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_sort_shows_everything_once_while_others_write() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let original = make_many(&owner, 27).await;
    let mut next = original.len();
    for sort in SORTS {
        let mut walked = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = owner.get(&format!("{PROJECTS}?limit=7&sort={sort}{cursor}")).await.expect(200);
            walked.extend(data(&page));
            assert_eq!(page["has_more"], page["next_cursor"].is_string());
            let Some(token) = page["next_cursor"].as_str() else { break };
            assert_eq!(data(&page).len(), 7);
            cursor = format!("&cursor={token}");
            make(&owner, next).await;
            next += 1;
        }
        let unique: HashSet<_> = ids(&walked).into_iter().collect();
        assert_eq!(unique.len(), walked.len(), "{sort} repeats");
        assert_eq!(ids(&walked), ids(&sorted(walked.clone(), sort)), "{sort} is out of order");
        let of_old: Vec<_> = walked.into_iter().filter(|project| original.contains(project)).collect();
        assert_eq!(ids(&of_old), ids(&sorted(original.clone(), sort)), "{sort} is incomplete");
    }
}

#[tokio::test]
async fn the_link_header_leads_through_every_page() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let all = make_many(&owner, 26).await;
    for sort in SORTS {
        let mut walked = Vec::new();
        let mut path = Some(format!("{PROJECTS}?sort={sort}&limit=5"));
        while let Some(at) = path {
            let page = owner.get(&at).await;
            let body = page.expect(200);
            walked.extend(data(&body));
            path = link(&page).map(str::to_owned);
            let next = body["next_cursor"].as_str();
            assert_eq!(path.as_ref().map(|path| path.rsplit_once("cursor=").unwrap().1), next);
        }
        assert_eq!(ids(&walked), ids(&sorted(all.clone(), sort)), "{sort}");
    }
}

/// Whatever a parameter's name is spelled like, there is one cursor (RFC 3986 §2.1).
#[tokio::test]
async fn the_link_header_replaces_a_cursor_however_it_is_spelled() {
    let (acme, owner) = OrgWithOwner::start_with_owner().await;
    let all = make_many(&owner, 4).await;
    let first = owner.get(&format!("{PROJECTS}?&&limit=1&")).await;
    let cursor = first.expect(200)["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(link(&first), Some(&*acme.path(&format!("/projects?limit=1&cursor={cursor}"))));
    for name in ["cursor", "%63ursor", "%63%75%72%73%6F%72", "curso%72"] {
        let mut walked = vec![all[0].clone()];
        let mut path = Some(format!("{PROJECTS}?limit=1&{name}={cursor}"));
        while let Some(at) = path {
            let page = owner.get(&at).await;
            walked.extend(data(&page.expect(200)));
            path = link(&page).map(str::to_owned);
        }
        assert_eq!(ids(&walked), ids(&all), "{name}");
    }
    // What is asked for beside it stays what it is.
    let odd = owner.get(&format!("{PROJECTS}?limit=1&q=%26cursor%3D%2Bx+y%C3%A9")).await;
    match odd.status {
        200 => assert_eq!(link(&odd), None),
        _ => drop(odd.problem(422, "VALIDATION_FAILED")),
    }
}

#[tokio::test]
async fn a_page_has_20_rows_in_order_of_creation_by_default() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let all = make_many(&owner, 21).await;
    let page = owner.get(PROJECTS).await.expect(200);
    assert_eq!(ids(&data(&page)), ids(&all[..20]));
    assert_eq!(page["has_more"], true);
    let whole = owner.get(&format!("{PROJECTS}?limit=21")).await;
    assert_eq!(whole.expect(200)["next_cursor"], Value::Null);
    assert_eq!(link(&whole), None);
    assert_eq!(ids(&data(&whole.json())), ids(&all));
}

#[tokio::test]
async fn a_filter_picks_by_code_without_regard_to_case() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    let all = make_many(&owner, 3).await;
    for code in ["Y1", "y1"] {
        let page = owner.get(&format!("{PROJECTS}?code={code}")).await.expect(200);
        assert_eq!(page["data"], json!([all[1]]));
    }
    assert_eq!(owner.get(&format!("{PROJECTS}?code=none")).await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_list_shows_one_organization_alone() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    make_many(&owner, 2).await;
    let second = PROJECTS.replace("{org}", &owner.create_organization(&unique("second")).await.slug);
    let only = owner.post(&second, json!({ "code": "x0", "name": "Only" })).await.expect(201);
    assert_eq!(owner.get(&second).await.expect(200)["data"], json!([only]));
}

#[tokio::test]
async fn a_cursor_fits_the_list_it_was_made_for_alone() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    make_many(&owner, 3).await;
    let page = owner.get(&format!("{PROJECTS}?limit=1&sort=name")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    owner.get(&format!("{PROJECTS}?limit=2&sort=name&cursor={cursor}")).await.expect(200);

    let flipped = |at: usize| {
        let mut text = cursor.to_owned();
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        text.replace_range(at..=at, other);
        text
    };
    let second = PROJECTS.replace("{org}", &owner.create_organization(&unique("second")).await.slug);
    let mut lists = vec![
        format!("{PROJECTS}?sort=-name&cursor={cursor}"),
        format!("{PROJECTS}?sort=code&cursor={cursor}"),
        format!("{PROJECTS}?cursor={cursor}"),
        format!("{PROJECTS}?sort=name&code=x0&cursor={cursor}"),
        format!("{second}?sort=name&cursor={cursor}"),
    ];
    let tampered = (0..cursor.len() - 1).map(flipped);
    let shapeless = ["x", "e30", "%20", "%C3%A4"].map(str::to_owned);
    let forged = tampered.chain(shapeless).chain([format!("{cursor}A"), cursor[1..].to_owned()]);
    lists.extend(forged.map(|cursor| format!("{PROJECTS}?sort=name&cursor={cursor}")));
    for list in lists {
        owner.get(&list).await.problem(422, "INVALID_CURSOR");
    }
}

#[tokio::test]
async fn every_wrong_parameter_is_named_at_once() {
    let (_server, owner) = OrgWithOwner::start_with_owner().await;
    for (query, faults) in [
        ("limit=0", vec!["limit TOO_SMALL"]),
        ("limit=101", vec!["limit TOO_LARGE"]),
        ("limit=abc", vec!["limit WRONG_TYPE"]),
        ("limit=1.5", vec!["limit WRONG_TYPE"]),
        ("limit=-1", vec!["limit TOO_SMALL"]),
        ("limit=", vec!["limit WRONG_TYPE"]),
        ("limit=1&limit=2", vec!["limit NOT_UNIQUE"]),
        ("sort=color", vec!["sort NOT_A_CHOICE"]),
        ("sort=name,code", vec!["sort NOT_A_CHOICE"]),
        ("code=a%20b", vec!["code INVALID_FORMAT"]),
        ("code=a%00", vec!["code INVALID_FORMAT"]),
        ("offset=3", vec!["offset UNKNOWN_FIELD"]),
        ("Limit=3", vec!["Limit UNKNOWN_FIELD"]),
        ("cursor=", vec!["cursor TOO_SHORT"]),
        (
            "limit=0&sort=color&page=2&code=-&x=1",
            vec![
                "code INVALID_FORMAT",
                "limit TOO_SMALL",
                "page UNKNOWN_FIELD",
                "sort NOT_A_CHOICE",
                "x UNKNOWN_FIELD",
            ],
        ),
    ] {
        let reply = owner.get(&format!("{PROJECTS}?{query}")).await;
        reply.problem(422, "VALIDATION_FAILED");
        assert_eq!(reply.faults(), faults, "{query}");
    }
    for limit in [1, 100] {
        owner.get(&format!("{PROJECTS}?limit={limit}")).await.expect(200);
    }
}
