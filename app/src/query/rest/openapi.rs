//! The API's own description, OpenAPI 3, from the same tables that answer: nothing in it is written
//! by hand.

use super::paths::{Endpoint, Verb};
use super::shape::{Field, Form, Kind, Shape};
use super::Tables;
use serde_json::{json, Map, Value};
use std::collections::BTreeSet;

/// Messages in messages of a parameter's name, at most.
const DEPTH_MAX: usize = 3;

/// The document.
pub fn document(tables: &Tables) -> Value {
    let mut paths = Map::new();
    let mut used = BTreeSet::new();
    for endpoint in tables.paths.endpoints() {
        let verb = match endpoint.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let template = endpoint.template.replace("=**}", "}");
        let item = paths.entry(template).or_insert_with(|| json!({}));
        item[verb] = operation(tables, endpoint, &mut used);
    }
    let mut schemas = Map::new();
    while let Some(name) = used.pop_first() {
        let Some(shape) = tables.shapes.find(&name) else { continue };
        let mut more = BTreeSet::new();
        schemas.insert(name, schema(tables, shape, &mut more));
        used.extend(more.into_iter().filter(|name| !schemas.contains_key(name)));
    }
    schemas.insert("Error".into(), error_schema());
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "cyberd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Queries of a knowledge-graph chain. Heights: the header \
                x-cosmos-block-height chooses one, every answer names its own. 64-bit integers are \
                texts. The same methods answer over gRPC (reflection is on) and gRPC-web.",
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn operation(tables: &Tables, endpoint: &Endpoint, used: &mut BTreeSet<String>) -> Value {
    let input = tables.shapes.find(&endpoint.input).expect("endpoints name messages there are");
    let service = endpoint.method.trim_start_matches('/').split('/').next().unwrap_or_default();
    let mut parameters: Vec<Value> = Vec::new();
    for (name, schema) in variables(tables, endpoint, input) {
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    if !endpoint.has_body {
        query(tables, input, "", 0, &mut |name: String, schema: Value| {
            if !endpoint.variables().contains(&name) {
                parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
            }
        });
    }
    used.insert(endpoint.output.clone());
    let kind = if endpoint.is_stream { "text/event-stream" } else { "application/json" };
    let id = endpoint.method.trim_start_matches('/').replace(['/', '.'], "_");
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let error = json!({ "application/json": { "schema": error } });
    let mut operation = json!({
        "tags": [service],
        "operationId": format!("{id}_{}", parameters.len()),
        "summary": endpoint.words,
        "x-grpc": endpoint.method,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "The answer",
                "content": { kind: { "schema": reference(&endpoint.output) } },
            },
            "default": { "description": "Why there is none", "content": error },
        },
    });
    if endpoint.has_body {
        used.insert(endpoint.input.clone());
        let schema = reference(&endpoint.input);
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn variables<'a>(
    tables: &'a Tables,
    endpoint: &'a Endpoint,
    input: &'a Shape,
) -> impl Iterator<Item = (String, Value)> + 'a {
    endpoint.variables().iter().map(|name| {
        let mut more = BTreeSet::new();
        let field = input.field(name);
        let schema = field.map_or_else(
            || json!({ "type": "string" }),
            |field| value_schema(tables, field, &mut more),
        );
        (name.clone(), schema)
    })
}

/// Every field of a request as a parameter, fields of fields by their names with points.
fn query(
    tables: &Tables,
    shape: &Shape,
    before: &str,
    depth: usize,
    put: &mut dyn FnMut(String, Value),
) {
    for field in &shape.fields {
        let name = format!("{before}{}", field.name);
        match &field.kind {
            Kind::Message(place) if !field.is_list && depth < DEPTH_MAX => {
                query(tables, tables.shapes.at(*place), &format!("{name}."), depth + 1, put);
            }
            Kind::Message(_) => (),
            _ => {
                let schema = value_schema(tables, field, &mut BTreeSet::new());
                put(name, if field.is_list { list(schema) } else { schema });
            }
        }
    }
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn schema(tables: &Tables, shape: &Shape, used: &mut BTreeSet<String>) -> Value {
    if shape.form == Form::Any {
        let kind = json!({ "@type": { "type": "string" } });
        return json!({ "type": "object", "properties": kind, "additionalProperties": true });
    }
    let mut properties = Map::new();
    for field in &shape.fields {
        let value = value_schema(tables, field, used);
        properties.insert(field.name.clone(), if field.is_list { list(value) } else { value });
    }
    json!({ "type": "object", "properties": properties })
}

/// How JSON writes one value of a field.
fn value_schema(tables: &Tables, field: &Field, used: &mut BTreeSet<String>) -> Value {
    match &field.kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int32 => json!({ "type": "integer", "format": "int32" }),
        Kind::Uint32 => json!({ "type": "integer", "format": "int64", "minimum": 0 }),
        Kind::Int64 => json!({ "type": "string", "format": "int64" }),
        Kind::Uint64 => json!({ "type": "string", "format": "uint64" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Decimal => json!({ "type": "string", "format": "decimal" }),
        Kind::Bytes => json!({ "type": "string", "format": "byte", "nullable": true }),
        Kind::Enum(names) => {
            let names: Vec<&String> = names.iter().map(|(_, name)| name).collect();
            json!({ "type": "string", "enum": names })
        }
        Kind::Message(place) => {
            let shape = tables.shapes.at(*place);
            match shape.form {
                Form::Timestamp => json!({ "type": "string", "format": "date-time" }),
                Form::Duration => json!({ "type": "string", "example": "1814400s" }),
                Form::Object | Form::Any => {
                    used.insert(shape.name.clone());
                    reference(&shape.name)
                }
            }
        }
    }
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "code is a gRPC status: 3 wrong request, 5 not found, 8 too much at once, \
            12 no such method, 14 not now",
        "properties": {
            "code": { "type": "integer" },
            "message": { "type": "string" },
            "details": { "type": "array", "items": {} },
        },
    })
}
