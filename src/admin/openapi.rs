//! The description of the API as an OpenAPI 3.1 document: made from the routes and from the types that they take and
//! give, so that it says what the code does.

use std::collections::BTreeMap;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, ResponseBuilder, response};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::Problem;

/// What is said once for all routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bellwether admin API",
        description = "How a running server stands, why it answers as it does, and what operators force. Moments are RFC \
                       3339, spans are seconds. Fields are only ever added."
    ),
    components(schemas(Problem)),
    modifiers(&Bearer),
    security((), ("token" = []))
)]
pub(super) struct Api;

/// The token, which only servers that have one ask for.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let mut scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        scheme.description = Some("The line in the server's `token-file`, if it has one.".to_owned());
        let components = api.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Whatever is refused: any status of 400 and above.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new()
            .description("What is wrong, as problem details (RFC 9457).")
            .content("application/problem+json", problem)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}
