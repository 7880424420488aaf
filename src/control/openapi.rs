//! The OpenAPI documents of what is served: made of the very routes and types that serve it, with
//! the answers that every operation can give.

use super::plane::Plane;
use super::problem::ProblemDetails;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder, Server};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

/// What a document is about.
pub(super) struct About {
    /// Its title.
    pub(super) title: &'static str,
    /// What it is for.
    pub(super) description: &'static str,
}

/// The routes without their document, and the document.
pub(super) fn split(about: &About, public_url: &str, routes: OpenApiRouter<Plane>) -> (axum::Router<Plane>, OpenApi) {
    let (router, own) = routes.split_for_parts();
    let info = InfoBuilder::new().title(about.title).version(env!("CARGO_PKG_VERSION")).description(Some(about.description)).build();
    let mut document = OpenApiBuilder::new().info(info).servers(Some([Server::new(public_url)])).paths(own.paths).components(own.components).build();
    complete(&mut document);
    (router, document)
}

/// Adds what every operation has: the bearer it wants, and the answers that no operation is free of.
fn complete(document: &mut OpenApi) {
    let mut components = document.components.take().unwrap_or_default();
    components.schemas.insert(ProblemDetails::name().into_owned(), ProblemDetails::schema());
    let mut more = Vec::new();
    ProblemDetails::schemas(&mut more);
    components.schemas.extend(more);
    components.add_security_scheme("bearer", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()));
    document.components = Some(components);
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete_operation(operation);
        }
    }
}

fn complete_operation(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    let responses = &mut operation.responses.responses;
    let mut add = |status: &str, description: &str| {
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(description)));
    };
    add("400", "The request does not fit, or cannot be carried out: `errors` says what, by field.");
    add("401", "There is no valid token.");
    add("403", "No policy admits the call.");
    add("default", "Every other error.");
    // The HTTP library refuses the longest of them by itself, without a body.
    for (status, description) in [("414", "The address is too long."), ("431", "The headers are too long, or too many.")] {
        operation.responses.responses.insert(status.to_owned(), RefOr::T(ResponseBuilder::new().description(description).build()));
    }
    if operation.request_body.is_some() {
        let responses = &mut operation.responses.responses;
        responses.insert("413".to_owned(), RefOr::T(problem("The body is too long.")));
        responses.insert("415".to_owned(), RefOr::T(problem("The body is not JSON by its type.")));
    }
}

/// An answer with a problem document.
fn problem(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDetails::name()))).build();
    let request_id = HeaderBuilder::new().description(Some("The id of the request, which is looked up in Insights.")).build();
    ResponseBuilder::new().description(description).content("application/problem+json", content).header("lusid-meta-requestid", request_id).build()
}
