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
    modifiers(&Proofs),
    security((), ("token" = []), ("certificate" = []))
)]
pub(super) struct Api;

/// What servers ask for that are not open to all of their machine.
struct Proofs;

impl Modify for Proofs {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let mut token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        token.description = Some("The line in the server's `token-file`, if it has one.".to_owned());
        let certificate = SecurityScheme::MutualTls {
            description: Some(
                "A certificate that one of the server's `clients` authorities signed, if it has any; either of the two \
                 will do."
                    .to_owned(),
            ),
            extensions: None,
        };
        let components = api.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(token));
        components.add_security_scheme("certificate", certificate);
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
