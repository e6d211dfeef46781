//! The sink `JetStream` against a real NATS server, which each test starts for itself, kills, and
//! starts again with what it had stored.

mod access;
mod bulk;
mod killed;
mod messages;
mod outage;
mod proxy;
mod refusals;
mod scene;
mod server;
