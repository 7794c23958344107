use argon2::PasswordHasher;

use super::*;

/// Hashes of `password` with the salt `somesalt`, from the tests of the reference implementation.
const SMALL: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const TWO_LANES: &str =
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
const LARGE: &str = "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg";

/// Passwords and their hashes, made by libxcrypt.
const BCRYPT: [(&str, &str); 2] = [
    ("correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
    ("жарптица", "$2b$04$abcdefghijklmnopqrstuu13qtPiRv.8WK/5CwWxLdDt/AF4Hw38i"),
];
/// The hash of 100 times `x`, made by libxcrypt.
const BCRYPT_LONG: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

fn matches(hash: &str, password: &str, memory: &mut HashMemory) -> bool {
    StoredHash::parse(hash).unwrap().matches(password.as_bytes(), memory)
}

#[test]
fn known_hashes_match_in_any_order_of_memory_use() {
    let mut memory = HashMemory::default();
    for _ in 0..2 {
        for hash in [SMALL, TWO_LANES, LARGE] {
            assert!(matches(hash, "password", &mut memory), "{hash}");
            assert!(!matches(hash, "Password", &mut memory), "{hash}");
            assert!(!StoredHash::parse(hash).unwrap().is_current());
        }
        let new = hash("пароль".as_bytes(), &mut memory).unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert!(matches(&new, "пароль", &mut memory) && !matches(&new, "пароль ", &mut memory));
        assert!(StoredHash::parse(&new).unwrap().is_current());
        // The high-level interface of the crate, with its own memory, agrees.
        let own = Argon2::from(parameters()).hash_password(b"of its own").unwrap().to_string();
        assert!(matches(&own, "of its own", &mut memory) && StoredHash::parse(&own).unwrap().is_current());
    }
    assert_eq!(memory.0.len(), 19_456, "blocks that one thread keeps");
}

#[test]
fn each_hash_has_a_new_salt() {
    let mut memory = HashMemory::default();
    assert_ne!(hash(b"the same", &mut memory).unwrap(), hash(b"the same", &mut memory).unwrap());
}

#[test]
fn a_bcrypt_hash_matches_its_password() {
    let mut memory = HashMemory::default();
    for (password, hash) in BCRYPT {
        assert!(matches(hash, password, &mut memory));
        assert!(!matches(hash, &password[..password.len() - 2], &mut memory));
        assert!(!matches(hash, &format!("{password}\0{password}"), &mut memory));
        assert!(!StoredHash::parse(hash).unwrap().is_current());
    }
    assert!(matches(BCRYPT_LONG, &"x".repeat(100), &mut memory), "bcrypt ignores the bytes after the 72nd");
    assert!(!matches(BCRYPT_LONG, &"x".repeat(71), &mut memory));
    // The bytes that bcrypt ignores may be mistyped or missing.
    let (long, short) = (StoredHash::parse(BCRYPT_LONG).unwrap(), StoredHash::parse(BCRYPT[0].1).unwrap());
    for (covers, length) in [(true, 71), (false, 72), (false, 73), (false, 100)] {
        assert_eq!(long.covers("x".repeat(length).as_bytes()), covers, "{length}");
    }
    assert!(short.covers(BCRYPT[0].0.as_bytes()));
    assert!(StoredHash::dummy().unwrap().covers("x".repeat(500).as_bytes()));
}

#[test]
fn the_dummy_hash_has_current_parameters_and_matches_nothing() {
    let dummy = StoredHash::dummy().unwrap();
    assert!(dummy.is_current());
    assert!(!dummy.matches(b"", &mut HashMemory::default()));
}

#[test]
fn only_hashes_with_a_bounded_cost_are_imported() {
    for hash in [SMALL, TWO_LANES, LARGE, BCRYPT_LONG] {
        check_imported_hash("password_hash", hash).unwrap();
    }
    let argon2 = |parameters: &str| SMALL.replace("m=256,t=2,p=1", parameters);
    let bcrypt = |start: &str| BCRYPT_LONG.replace("$2b$04$", start);
    for hash in [
        String::new(),
        "password".to_owned(),
        argon2("m=65537,t=1,p=1"),
        argon2("m=4294967295,t=1,p=1"),
        argon2("m=256,t=11,p=1"),
        argon2("m=256,t=2,p=5"),
        argon2("m=256,t=0,p=1"),
        argon2("t=2,p=1").replace("t=2,p=1", "m=x"),
        SMALL.replace("argon2id", "argon2i"),
        SMALL.replace("argon2id", "scrypt"),
        SMALL.replace("$v=19", ""),
        SMALL.replace("$v=19", "$v=20"),
        SMALL[..SMALL.rfind('$').unwrap()].to_owned(),
        format!("{SMALL}$"),
        bcrypt("$2b$13$"),
        bcrypt("$2b$31$"),
        bcrypt("$2b$03$"),
        bcrypt("$2x$04$"),
        bcrypt("$2b$4$"),
        format!("{BCRYPT_LONG}x"),
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0".to_owned(),
    ] {
        assert!(StoredHash::parse(&hash).is_none(), "{hash}");
        let Err(Error::Invalid(code, errors)) = check_imported_hash("password_hash", &hash) else {
            panic!("{hash} was accepted")
        };
        assert_eq!((code.as_str(), errors[0].field.as_str()), ("VALIDATION_FAILED", "password_hash"));
    }
}
