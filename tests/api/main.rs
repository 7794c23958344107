//! The product, from the outside; one module per noun.
#![forbid(unsafe_code)]

mod migrations;
