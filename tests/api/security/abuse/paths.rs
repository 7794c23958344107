//! Paths and query strings with a special meaning for other software.

use super::{acme, count, goes_on, leak};

/// In the place of a slug: none of them is Acme.
const SEGMENTS: &[(&str, &str)] = &[
    ("a dot at the end", "acme."),
    ("two dots at the end", "acme.."),
    ("three dots", "..."),
    ("an encoded dot", "acme%2e"),
    ("encoded dots", "%2e%2e"),
    ("half encoded dots", ".%2e"),
    ("encoded twice", "%252e%252e"),
    ("a slash encoded twice", "acme%252f"),
    ("percent encoded as well", "%25%32%66"),
    ("an overlong slash", "acme%c0%af"),
    ("a slash in the style of a browser", "acme%u002f"),
    ("a full-width slash", "acme%EF%BC%8F"),
    ("a division slash", "acme%E2%88%95"),
    ("a matrix parameter", "acme;x=1"),
    ("a session in the path", "acme;jsessionid=1"),
    ("a matrix parameter, encoded", "acme%3Bx=1"),
    ("a fragment, encoded", "acme%23"),
    ("a query, encoded", "acme%3Flimit=1"),
    ("a space", "acme%20"),
    ("a plus", "acme+"),
    ("a tab", "acme%09"),
    ("a new line", "acme%0A"),
    ("a header line", "acme%0D%0Aset-cookie:%20a=b"),
    ("NUL", "acme%00"),
    ("NUL and an ending", "acme%00.json"),
    ("an ending", "acme.json"),
    ("a back-up", "acme~"),
    ("upper case", "Acme"),
    ("full-width letters", "%EF%BD%81cme"),
    ("a Cyrillic letter", "%D0%B0cme"),
    ("a mark on a letter", "a%CC%81cme"),
    ("a soft hyphen", "ac%C2%ADme"),
    ("a zero-width joiner", "ac%E2%80%8Dme"),
    ("right to left", "%E2%80%AEemca"),
    ("a mark of UTF-8", "%EF%BB%BFacme"),
    ("a sigma that ends a word", "acme%CF%82"),
    ("a wildcard", "*"),
    ("a wildcard of SQL", "acm%25"),
    ("another wildcard of SQL", "acm_"),
    ("a quote", "acme'"),
    ("a quote and more", "acme'%20OR%20'1'='1"),
    ("a double quote, encoded", "acme%22"),
    ("a template", "{org}"),
    ("an encoded template", "%7Borg%7D"),
    ("an address", "@acme"),
    ("a drive", "c:"),
    ("the nil id", "00000000-0000-0000-0000-000000000000"),
    ("the greatest id", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ("the platform", "platform"),
    ("null", "null"),
    ("undefined", "undefined"),
    ("a number", "1"),
    ("a negative number", "-1"),
    ("two of them", "acme,acme"),
];

/// Behind the `?` of a list, and what it is worth.
const QUERIES: &[(&str, &str, u16)] = &[
    ("nothing", "", 200),
    ("separators alone", "&&&", 200),
    ("an encoded digit", "limit=%31", 200),
    ("a space before", "limit=%201", 422),
    ("a plus", "limit=+1", 422),
    ("twice", "limit=1&limit=1", 422),
    ("twice, in two spellings", "limit=1&l%69mit=2", 422),
    ("upper case", "LIMIT=1", 422),
    ("an array", "limit[]=1", 422),
    ("an operator", "limit[$gt]=1", 422),
    ("a separator of old", "limit=1;cursor=x", 422),
    ("no value", "limit", 422),
    ("an empty value", "limit=", 422),
    ("zero", "limit=0", 422),
    ("one too many", "limit=101", 422),
    ("a negative number", "limit=-1", 422),
    ("an exponent", "limit=1e1", 422),
    ("a fraction", "limit=1.5", 422),
    ("over 64 bits", "limit=18446744073709551617", 422),
    ("full-width digits", "limit=%EF%BC%91", 422),
    ("NUL", "limit=1%00", 422),
    ("no encoding", "cursor=%zz", 422),
    ("half an encoding", "cursor=%", 422),
    ("no UTF-8", "cursor=%ff", 422),
    ("NUL in a cursor", "cursor=%00", 422),
    ("a cursor that is none", "cursor=AAAA", 422),
    ("an empty cursor", "cursor=", 422),
    ("two keys to sort by", "sort=name,code", 422),
    ("a column that is no key", "sort=password_hash", 422),
    ("a statement", "sort=name;DROP%20TABLE%20projects", 422),
    ("a name that is empty", "=x", 422),
    ("unknown", "debug=true", 422),
    ("a method", "_method=DELETE", 422),
    ("a callback", "callback=alert", 422),
    ("__proto__", "__proto__[x]=1", 422),
    ("a token", "access_token=x", 422),
];

#[tokio::test]
async fn a_segment_that_looks_like_another_one_is_not_it() {
    let (server, ada) = acme().await;
    let token = format!("authorization: Bearer {}\r\n", ada.token());
    let long: Vec<_> = [64, 256, 1000, 60_000].map(|n| ("long", "a".repeat(n))).into();
    let given = SEGMENTS.iter().map(|(name, segment)| (*name, (*segment).to_owned()));
    let mut complaints = Vec::new();
    let segments: Vec<_> = given.chain(long).collect();
    for (name, segment) in &segments {
        for path in [
            format!("/api/v1/organizations/{segment}"),
            format!("/api/v1/organizations/acme/projects/{segment}"),
        ] {
            let reply = server.raw_get(&path, &token).await;
            if reply.status != 404 {
                complaints.push(format!("{name}: {}", reply.status));
            }
            complaints.extend(leak(&reply).map(|leak| format!("{name}: {leak}")));
            if reply.headers.contains_key("set-cookie") {
                complaints.push(format!("{name}: sets a cookie"));
            }
        }
    }
    count("segments", segments.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
    goes_on(&ada).await;
}

#[tokio::test]
async fn a_query_string_is_valid_or_refused() {
    let (server, ada) = acme().await;
    let token = format!("authorization: Bearer {}\r\n", ada.token());
    let many: String = (0..5000).map(|n| format!("p{n}=1&")).collect();
    let long = format!("cursor={}", "A".repeat(50_000));
    let given = QUERIES.iter().map(|(name, query, status)| (*name, (*query).to_owned(), *status));
    let queries: Vec<_> = given.chain([("5,000 of them", many, 422), ("50 kB", long, 422)]).collect();
    let mut complaints = Vec::new();
    for (name, query, status) in &queries {
        let reply = server.raw_get(&format!("/api/v1/organizations/acme/projects?{query}"), &token).await;
        if reply.status != *status {
            complaints.push(format!("{name}: {}, not {status}", reply.status));
        }
        if reply.body.len() > 20_000 {
            complaints.push(format!("{name}: the answer has {} bytes", reply.body.len()));
        }
        complaints.extend(leak(&reply).map(|leak| format!("{name}: {leak}")));
        // A stranger learns nothing of what may be asked.
        let stranger = server.raw_get(&format!("/api/v1/organizations/acme/projects?{query}"), "").await;
        if stranger.status != 401 {
            complaints.push(format!("{name}: {} to a stranger", stranger.status));
        }
    }
    count("query strings", queries.len());
    assert!(complaints.is_empty(), "{complaints:#?}");
    goes_on(&ada).await;
}
