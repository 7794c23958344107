use argon2::PasswordHasher;

use super::*;

/// Of `somesalt` and `password`; from the tests of the reference implementation.
const SMALL: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const TWO_LANES: &str =
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
const LARGE: &str = "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg";

/// Made by libxcrypt, of these passwords.
const BCRYPT: [(&str, &str); 2] = [
    ("correct horse", "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
    ("жарптица", "$2b$04$abcdefghijklmnopqrstuu13qtPiRv.8WK/5CwWxLdDt/AF4Hw38i"),
];
/// Made by libxcrypt, of 100 times `x`.
const BCRYPT_LONG: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

fn fits(hash: &str, password: &str, memory: &mut Memory) -> bool {
    Stored::parse(hash).unwrap().fits(password.as_bytes(), memory)
}

#[test]
fn known_hashes_fit_their_passwords_in_whatever_order_the_memory_is_used() {
    let mut memory = Memory::default();
    for _ in 0..2 {
        for hash in [SMALL, TWO_LANES, LARGE] {
            assert!(fits(hash, "password", &mut memory), "{hash}");
            assert!(!fits(hash, "Password", &mut memory), "{hash}");
            assert!(!Stored::parse(hash).unwrap().is_present());
        }
        let new = hash("пароль".as_bytes(), &mut memory).unwrap();
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{new}");
        assert!(fits(&new, "пароль", &mut memory) && !fits(&new, "пароль ", &mut memory));
        assert!(Stored::parse(&new).unwrap().is_present());
        // The crate's own interface, with memory of its own, agrees.
        let own = Argon2::from(parameters()).hash_password(b"of its own").unwrap().to_string();
        assert!(fits(&own, "of its own", &mut memory) && Stored::parse(&own).unwrap().is_present());
    }
    assert_eq!(memory.0.len(), 19_456, "what one thread keeps");
}

#[test]
fn a_salt_is_used_once() {
    let mut memory = Memory::default();
    assert_ne!(hash(b"the same", &mut memory).unwrap(), hash(b"the same", &mut memory).unwrap());
}

#[test]
fn a_hash_of_bcrypt_fits_its_password() {
    let mut memory = Memory::default();
    for (password, hash) in BCRYPT {
        assert!(fits(hash, password, &mut memory));
        assert!(!fits(hash, &password[..password.len() - 2], &mut memory));
        assert!(!fits(hash, &format!("{password}\0{password}"), &mut memory));
        assert!(!Stored::parse(hash).unwrap().is_present());
    }
    assert!(fits(BCRYPT_LONG, &"x".repeat(100), &mut memory), "as it was where it was made");
    assert!(!fits(BCRYPT_LONG, &"x".repeat(71), &mut memory));
    // What it does not see may be mistyped, or missing.
    let (long, short) = (Stored::parse(BCRYPT_LONG).unwrap(), Stored::parse(BCRYPT[0].1).unwrap());
    for (covers, length) in [(true, 71), (false, 72), (false, 73), (false, 100)] {
        assert_eq!(long.covers("x".repeat(length).as_bytes()), covers, "{length}");
    }
    assert!(short.covers(BCRYPT[0].0.as_bytes()));
    assert!(Stored::of_nobody().unwrap().covers("x".repeat(500).as_bytes()));
}

#[test]
fn nobodys_password_costs_the_same_and_fits_nothing() {
    let nobody = Stored::of_nobody().unwrap();
    assert!(nobody.is_present());
    assert!(!nobody.fits(b"", &mut Memory::default()));
}

#[test]
fn only_what_can_be_verified_at_a_bounded_cost_is_imported() {
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
        assert!(Stored::parse(&hash).is_none(), "{hash}");
        let Err(Error::Invalid(code, faults)) = check_imported_hash("password_hash", &hash) else {
            panic!("{hash} was taken")
        };
        assert_eq!((code.as_str(), faults[0].field.as_str()), ("VALIDATION_FAILED", "password_hash"));
    }
}
