//! The server from outside: raw frames over real sockets, a scripted application behind it.

mod client;
mod hostile;
mod order;
mod random;
mod script;
mod service;
