//! The fields of a submitted form.

use crate::control::parameters::Parameters;
use crate::control::problem::Problem;
use axum::extract::{FromRequest, Request};

/// No form of the console is longer, in bytes.
const LONGEST: usize = 16 * 1024;

/// What was filled in.
pub(super) struct Form(Parameters);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = axum::body::to_bytes(request.into_body(), LONGEST).await;
        let bytes = bytes.map_err(|_| Problem::invalid().detail("The form did not come whole, or is too long."))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Problem::invalid().detail("The form is not UTF-8."))?;
        Parameters::parse(text).map(Self)
    }
}

impl Form {
    /// What stands in a field; nothing where it is missing or stands twice.
    pub(super) fn text<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.text(name).ok().flatten().unwrap_or_default()
    }
}
