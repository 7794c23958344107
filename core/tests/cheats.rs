//! Ways to get around the tenant scope, and the compiler's answer to each.

#[expect(dead_code, reason = "compiled, not called: what the cheats try, done as it should be")]
#[path = "cheats/honest.rs"]
mod honest;

#[test]
fn cheating_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/cheats/cheat_*.rs");
}
