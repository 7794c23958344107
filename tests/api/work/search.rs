//! The parameter `q` of the lists of projects, tasks, tags and roles.

use insula_tests::{Client, OrgFixture};
use serde_json::{Value, json};

/// Each list that can be searched, with the field that names its items.
const LISTS: [(&str, &str); 4] =
    [("/projects", "name"), ("/tasks", "title"), ("/tags", "name"), ("/roles", "name")];

/// The names that `q` finds, in alphabetical order. `q` is already encoded for a URL.
async fn found(org: &OrgFixture, who: &Client, list: &str, q: &str) -> Vec<String> {
    let (_, field) = LISTS.into_iter().find(|(path, _)| *path == list).unwrap();
    let page = who.get(&org.path(&format!("{list}?q={q}"))).await.expect(200);
    let name = |item: &Value| item[field].as_str().unwrap().to_owned();
    let mut names: Vec<_> = page["data"].as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

/// The body that creates an item with this name.
fn draft(list: &str, number: usize, name: &str) -> Value {
    match list {
        "/projects" => json!({ "code": format!("P-{number}"), "name": name }),
        "/tasks" => json!({ "title": name }),
        "/tags" => json!({ "name": name }),
        _ => json!({ "name": name, "description": "", "permissions": [] }),
    }
}

#[tokio::test]
async fn a_search_ignores_case_and_accents_and_takes_wildcards_literally() {
    let org = OrgFixture::start().await;
    for (list, field) in LISTS {
        let mut last = String::new();
        for (number, name) in
            ["Ärger", "Zoe\u{308} one", "50% a_b", "STRASSE 1", "c\\d"].into_iter().enumerate()
        {
            let made = org.owner.post(&org.path(list), draft(list, number, name)).await;
            let id = made.expect(201)["id"].as_str().unwrap().to_owned();
            last = org.path(&format!("{list}/{id}"));
        }
        for (q, expected) in [
            ("aRGER", vec!["Ärger"]),
            ("%C3%84rg", vec!["Ärger"]),
            ("zoe", vec!["Zoë one"]),
            ("stra%C3%9Fe", vec!["STRASSE 1"]),
            ("ZO%C3%8B%20ONE", vec!["Zoë one"]),
            ("%25", vec!["50% a_b"]),
            ("a_b", vec!["50% a_b"]),
            ("_d", vec![]),
            ("c%5Cd", vec!["c\\d"]),
            ("none-of-them", vec![]),
        ] {
            assert_eq!(found(&org, &org.viewer, list, q).await, expected, "{list}?q={q}");
        }

        // A new name is found, and the old one is not.
        let etag =
            org.owner.get(&org.path(&format!("{list}?q=c%5Cd"))).await.expect(200)["data"][0]["version"]
                .as_i64()
                .unwrap();
        let renamed =
            org.owner.patch(&last, json!({ field: "Éclair" })).header("if-match", &format!("\"{etag}\""));
        renamed.await.expect(200);
        assert_eq!(found(&org, &org.viewer, list, "ecl").await, ["Éclair"], "{list}");
        assert!(found(&org, &org.viewer, list, "c%5Cd").await.is_empty(), "{list}");
    }
}

#[tokio::test]
async fn projects_are_found_by_code_and_roles_by_key() {
    let org = OrgFixture::start().await;
    org.create("/projects", json!({ "code": "MILL", "name": "Wheat" })).await;
    org.create("/projects", json!({ "code": "A-1", "name": "Rye" })).await;
    assert_eq!(found(&org, &org.viewer, "/projects", "mil").await, ["Wheat"]);
    assert_eq!(found(&org, &org.viewer, "/projects", "1").await, ["Rye"]);
    // Nothing matches the end of the code and the start of the name together.
    assert!(found(&org, &org.viewer, "/projects", "lw").await.is_empty());
    assert_eq!(found(&org, &org.viewer, "/roles", "VIEW").await, ["Viewer"]);
    let role = json!({ "name": "Zoë's crew", "description": "", "permissions": [] });
    org.owner.post(&org.path("/roles"), role).await.expect(201);
    assert_eq!(found(&org, &org.viewer, "/roles", "zo-s-crew").await, ["Zoë's crew"]);

    // The other filters still apply, and a cursor belongs to its search.
    let both = org.viewer.get(&org.path("/projects?q=mill&code=A-1")).await.expect(200);
    assert_eq!(both["data"], json!([]));
    let page = org.viewer.get(&org.path("/projects?q=e&limit=1")).await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = org.viewer.get(&org.path(&format!("/projects?q=e&limit=1&cursor={cursor}"))).await.expect(200);
    assert_eq!((&page["data"][0]["name"], &next["data"][0]["name"]), (&json!("Wheat"), &json!("Rye")));
    let other = org.viewer.get(&org.path(&format!("/projects?q=r&limit=1&cursor={cursor}"))).await;
    other.problem(422, "INVALID_CURSOR");
}

#[tokio::test]
async fn a_search_term_has_1_to_100_characters() {
    let org = OrgFixture::start().await;
    for (list, _) in LISTS {
        let longest = "%C3%A4".repeat(100);
        assert!(found(&org, &org.viewer, list, &longest).await.is_empty(), "{list}");
        for q in ["", "%20", &"a".repeat(101), "a%00"] {
            let reply = org.viewer.get(&org.path(&format!("{list}?q={q}"))).await;
            reply.problem(422, "VALIDATION_FAILED");
            let faults = reply.faults();
            assert!(faults.len() == 1 && faults[0].starts_with("q "), "{list}?q={q}: {faults:?}");
        }
    }
}
