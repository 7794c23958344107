//! Runs a future inside a span.

use std::{
    pin::Pin,
    task::{self, Poll},
};

use opentelemetry::Context;
use pin_project_lite::pin_project;

pin_project! {
    /// A future during which a span is the current one. Without a span, it is only the future.
    #[derive(Debug)]
    pub struct InSpan<F> {
        #[pin]
        work: F,
        context: Option<Context>,
    }
}

impl<F> InSpan<F> {
    pub(super) fn new(work: F, context: Option<Context>) -> Self {
        Self { work, context }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _current = this.context.clone().map(Context::attach);
        this.work.poll(task)
    }
}
