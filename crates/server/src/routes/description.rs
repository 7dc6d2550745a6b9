//! What the description of the API says beyond what the routes' and bodies' own derives can.

mod examples;

use crate::once::{LONGEST_KEY, takes_key};
use axum::http::Method;
use utoipa::openapi::{
    OpenApi, RefOr, Required,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
    schema::{AdditionalProperties, Components, ObjectBuilder, Schema, SchemaType, Type},
};

/// Shapes of requests that are one of several: none takes unknown fields, which their derive doesn't tell.
const CLOSED: [&str; 1] = ["ImportEntry"];

/// The description, with what is true of every route.
pub(super) fn completed(mut api: OpenApi) -> OpenApi {
    let OpenApi { paths, components: Some(components), .. } = &mut api else { return api };
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations(item) {
            tell_of_empty(operation, components);
            // What isn't sent is absent too.
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
                    never_null(schema);
                }
            }
            if takes_key(&method, path) {
                operation.parameters.get_or_insert_default().push(RefOr::T(key()));
            }
        }
    }
    for name in CLOSED {
        if let Some(RefOr::T(Schema::OneOf(one))) = components.schemas.get_mut(name) {
            one.items.iter_mut().for_each(close);
        }
    }
    components.schemas.values_mut().for_each(tell_of_absent);
    examples::put_into(&mut api);
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let operations = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The header that makes a request safe to send again.
fn key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LONGEST_KEY))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "What the request is called, so that it is carried out once however often it is sent",
        ))
        .schema(Some(key))
        .build()
}

/// An empty body is the empty object, so a body whose fields may all be absent may be absent itself.
fn tell_of_empty(operation: &mut Operation, components: &Components) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let mut contents = body.content.values().filter_map(|content| match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    });
    let may_be_empty = contents.all(|schema| match resolved(schema, components) {
        Some(Schema::Object(object)) => object.required.is_empty(),
        _ => false,
    });
    body.required = Some(if may_be_empty { Required::False } else { Required::True });
}

fn resolved<'a>(schema: &'a RefOr<Schema>, components: &'a Components) -> Option<&'a Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(to) => match components.schemas.get(to.ref_location.rsplit('/').next()?)? {
            RefOr::T(schema) => Some(schema),
            RefOr::Ref(_) => None,
        },
    }
}

/// What an answer doesn't have is absent from it, never null. Requests may say null; they are what takes no unknown fields.
fn tell_of_absent(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            let takes = object.additional_properties.as_deref();
            if !matches!(takes, Some(AdditionalProperties::FreeForm(false))) {
                object.properties.values_mut().for_each(never_null);
            }
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(tell_of_absent),
        RefOr::T(Schema::OneOf(one)) => one.items.iter_mut().for_each(tell_of_absent),
        _ => {}
    }
}

fn close(shape: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = shape {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
}

fn never_null(property: &mut RefOr<Schema>) {
    let RefOr::T(schema) = property else { return };
    match schema {
        Schema::Object(object) => typed(&mut object.schema_type),
        Schema::Array(array) => typed(&mut array.schema_type),
        Schema::OneOf(one) => {
            one.items.retain(|item| match item {
                RefOr::T(Schema::Object(object)) => object.schema_type != SchemaType::Type(Type::Null),
                _ => true,
            });
            if one.items.len() == 1 {
                *property = one.items.remove(0);
            }
        }
        _ => {}
    }
}

fn typed(schema_type: &mut SchemaType) {
    if let SchemaType::Array(types) = schema_type {
        types.retain(|one| *one != Type::Null);
        if let [only] = types.as_slice() {
            *schema_type = SchemaType::Type(only.clone());
        }
    }
}
