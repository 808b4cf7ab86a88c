//! Which method a path calls: a tree made from the HTTP rules of the descriptors.
//!
//! A literal wins over a variable, and of two rules for the same paths the later one wins, as with
//! the gateway of other Cosmos software. A variable takes one segment; `{name=**}` takes the rest.

use super::shape::Shapes;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    Post,
}

/// One way to call a method.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub verb: Verb,
    /// As in the rule: `/cosmos/bank/v1beta1/balances/{address}`.
    pub template: String,
    /// `/package.Service/Method`.
    pub method: String,
    /// Full names of the messages.
    pub input: String,
    pub output: String,
    pub has_body: bool,
    pub is_stream: bool,
    /// What the descriptors say about it.
    pub words: String,
    /// The names of the variables, in their order.
    variables: Vec<String>,
}

impl Endpoint {
    /// The names of the variables in the path.
    pub fn variables(&self) -> &[String] {
        &self.variables
    }
}

/// Endpoints by path.
#[derive(Debug, Default)]
pub struct Paths {
    endpoints: Vec<Arc<Endpoint>>,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    variable: Option<Box<Node>>,
    /// What takes the rest, by verb.
    rest: BTreeMap<Verb, usize>,
    ends: BTreeMap<Verb, usize>,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Found {
    /// An endpoint with its variables.
    Endpoint(Arc<Endpoint>, Vec<(String, String)>),
    /// The path is known, asked in another way.
    OtherVerb,
    Nothing,
}

impl Paths {
    /// The endpoints of all services of a pool.
    pub fn new(pool: &DescriptorPool, shapes: &Shapes) -> Paths {
        let http = pool.get_extension_by_name("google.api.http").expect("our descriptors have it");
        let mut paths = Paths::default();
        for service in pool.services() {
            for method in service.methods() {
                let options = method.options();
                if let Value::Message(rule) = &*options.get_extension(&http) {
                    paths.add_rule(&method, rule, shapes);
                }
            }
        }
        paths
    }

    /// All of them, in the order of the descriptors.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    fn add_rule(&mut self, method: &MethodDescriptor, rule: &DynamicMessage, shapes: &Shapes) {
        for (name, verb) in [("get", Verb::Get), ("post", Verb::Post)] {
            let template = text(rule, name);
            if !template.is_empty() {
                let has_body = !text(rule, "body").is_empty();
                self.add(endpoint(method, verb, template, has_body), shapes);
            }
        }
        if let Some(more) = rule.get_field_by_name("additional_bindings") {
            for rule in more.as_list().unwrap_or_default() {
                if let Value::Message(rule) = rule {
                    self.add_rule(method, rule, shapes);
                }
            }
        }
    }

    fn add(&mut self, mut endpoint: Endpoint, shapes: &Shapes) {
        assert!(shapes.find(&endpoint.input).is_some(), "{endpoint:?}");
        let place = self.endpoints.len();
        let mut node = &mut self.root;
        let template = endpoint.template.clone();
        for segment in template.trim_start_matches('/').split('/') {
            let variable = segment.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            let Some(variable) = variable else {
                node = node.literals.entry(segment.to_owned()).or_default();
                continue;
            };
            if let Some(name) = variable.strip_suffix("=**") {
                endpoint.variables.push(name.to_owned());
                node.rest.insert(endpoint.verb, place);
                self.endpoints.push(Arc::new(endpoint));
                return;
            }
            endpoint.variables.push(variable.to_owned());
            node = node.variable.get_or_insert_default();
        }
        node.ends.insert(endpoint.verb, place);
        self.endpoints.push(Arc::new(endpoint));
    }

    /// What a path, percent signs and all, leads to.
    ///
    /// # Errors
    /// When what the percent signs say is no text.
    pub fn find(&self, verb: Verb, path: &str) -> Result<Found, String> {
        let segments: Vec<&str> =
            path.trim_start_matches('/').trim_end_matches('/').split('/').collect();
        let mut values = Vec::new();
        let Some(ends) = find(&self.root, &segments, &mut values) else {
            return Ok(Found::Nothing);
        };
        let Some(place) = ends.get(&verb) else { return Ok(Found::OtherVerb) };
        let endpoint = &self.endpoints[*place];
        let mut variables = Vec::new();
        for (name, value) in endpoint.variables.iter().zip(values) {
            variables.push((name.clone(), decoded(&value)?));
        }
        Ok(Found::Endpoint(endpoint.clone(), variables))
    }
}

fn endpoint(method: &MethodDescriptor, verb: Verb, template: String, has_body: bool) -> Endpoint {
    let service = method.parent_service().full_name();
    Endpoint {
        verb,
        template,
        method: format!("/{service}/{}", method.name()),
        input: method.input().full_name().to_owned(),
        output: method.output().full_name().to_owned(),
        has_body,
        is_stream: method.is_server_streaming(),
        words: words(method),
        variables: Vec::new(),
    }
}

/// The comment before a method.
fn words(method: &MethodDescriptor) -> String {
    let file = method.parent_service().parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|info| info.location.iter().find(|it| it.path == method.path()));
    let comment = location.and_then(|location| location.leading_comments.as_deref());
    comment.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(message: &DynamicMessage, name: &str) -> String {
    let value = message.get_field_by_name(name);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn find<'n>(
    node: &'n Node,
    segments: &[&str],
    values: &mut Vec<String>,
) -> Option<&'n BTreeMap<Verb, usize>> {
    let Some((first, rest)) = segments.split_first() else {
        return (!node.ends.is_empty()).then_some(&node.ends);
    };
    if let Some(next) = node.literals.get(*first) {
        if let Some(found) = find(next, rest, values) {
            return Some(found);
        }
    }
    if first.is_empty() {
        return None;
    }
    if let Some(next) = &node.variable {
        values.push((*first).to_owned());
        if let Some(found) = find(next, rest, values) {
            return Some(found);
        }
        values.pop();
    }
    if node.rest.is_empty() {
        return None;
    }
    values.push(segments.join("/"));
    Some(&node.rest)
}

/// Percent signs decoded.
fn decoded(text: &str) -> Result<String, String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let wrong = || format!("'{text}' is no text in percent encoding");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = rest.get(..2).ok_or_else(wrong)?;
        bytes.push(hex::decode(digits).map_err(|_| wrong())?[0]);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}
