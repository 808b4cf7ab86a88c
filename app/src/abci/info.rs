//! The query connection: where the application stands, and queries. A panic in a query is its
//! answer.

use super::convert::{self, wire};
use super::Application;
use crate::engine::QueryAnswer;
use crate::error::{code, Code};
use crate::telemetry;

pub fn echo(request: wire::RequestEcho) -> wire::ResponseEcho {
    wire::ResponseEcho { message: request.message }
}

pub fn info(application: &dyn Application, request: wire::RequestInfo) -> wire::ResponseInfo {
    let answer = application.info();
    tracing::debug!(cometbft = request.version, height = answer.height.0, "info");
    convert::info(answer)
}

pub fn query(application: &dyn Application, request: wire::RequestQuery) -> wire::ResponseQuery {
    let request = convert::query_request(request);
    let path = request.path.clone();
    let answer = telemetry::panics::catch(|| application.query(request));
    let answer = answer.unwrap_or_else(|text| {
        tracing::error!(path, panic = text, "query panicked");
        refused(code::PANIC, format!("{text}: panic"))
    });
    convert::query_answer(answer)
}

/// The answer to a request too long to be looked at, or that is no protobuf.
pub fn unreadable(text: String) -> wire::ResponseQuery {
    convert::query_answer(refused(code::INVALID_REQUEST, format!("{text}: invalid request")))
}

fn refused(code: Code, log: String) -> QueryAnswer {
    let (code, codespace) = (code.number, code.space.to_owned());
    QueryAnswer { code, codespace, log, ..QueryAnswer::default() }
}
