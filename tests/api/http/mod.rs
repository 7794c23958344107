//! Behaviour that all operations share: validation, errors, conditional requests, lists, limits and web pages.

mod branding;
mod conditional_requests;
mod console;
mod cors;
mod disconnects;
mod idempotency;
mod invalid_bodies;
mod invalid_requests;
mod link_pages;
mod openapi_document;
mod overload;
mod pagination;
mod problems;
mod rate_limits;
mod repeated_headers;
mod text_limits;
mod web_pages;
