//! The messages of dnstap, as far as an authoritative server fills them in.
//!
//! Source: the schema `dnstap.proto` of the project dnstap.pb, whose field numbers these are. Protocol Buffers have a
//! reader pass over fields that it does not know, and fields that are absent here are absent in what is written.

use prost::Message;

/// What is in a frame.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Dnstap {
    /// Which server this is.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub identity: Option<Vec<u8>>,
    /// What it runs.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub version: Option<Vec<u8>>,
    /// Whatever the server likes to add: the reason of a balanced answer.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub extra: Option<Vec<u8>>,
    /// What happened.
    #[prost(message, optional, tag = "14")]
    pub message: Option<Event>,
    /// Which field says what happened: always [`KIND_MESSAGE`].
    #[prost(int32, required, tag = "15")]
    pub kind: i32,
}

/// [`Dnstap::kind`]: it is `message`.
pub const KIND_MESSAGE: i32 = 1;

/// A DNS message that came or went; `Message` in the schema.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Event {
    /// [`AUTH_QUERY`] or [`AUTH_RESPONSE`].
    #[prost(int32, required, tag = "1")]
    pub kind: i32,
    /// 1 IPv4, 2 IPv6.
    #[prost(int32, optional, tag = "2")]
    pub socket_family: Option<i32>,
    /// 1 UDP, 2 TCP, 3 DNS over TLS, 4 over HTTPS, 7 over QUIC.
    #[prost(int32, optional, tag = "3")]
    pub socket_protocol: Option<i32>,
    /// The client: 4 octets or 16.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub query_address: Option<Vec<u8>>,
    /// The server, of the same family.
    #[prost(bytes = "vec", optional, tag = "5")]
    pub response_address: Option<Vec<u8>>,
    /// The client's port.
    #[prost(uint32, optional, tag = "6")]
    pub query_port: Option<u32>,
    /// The server's port.
    #[prost(uint32, optional, tag = "7")]
    pub response_port: Option<u32>,
    /// When the query came: seconds since 1970.
    #[prost(uint64, optional, tag = "8")]
    pub query_time_sec: Option<u64>,
    /// And nanoseconds.
    #[prost(fixed32, optional, tag = "9")]
    pub query_time_nsec: Option<u32>,
    /// The query, octet by octet.
    #[prost(bytes = "vec", optional, tag = "10")]
    pub query_message: Option<Vec<u8>>,
    /// The apex of the zone that answered, in wire form.
    #[prost(bytes = "vec", optional, tag = "11")]
    pub query_zone: Option<Vec<u8>>,
    /// When the response went: seconds since 1970.
    #[prost(uint64, optional, tag = "12")]
    pub response_time_sec: Option<u64>,
    /// And nanoseconds.
    #[prost(fixed32, optional, tag = "13")]
    pub response_time_nsec: Option<u32>,
    /// The response, octet by octet.
    #[prost(bytes = "vec", optional, tag = "14")]
    pub response_message: Option<Vec<u8>>,
}

/// A query, as the authoritative server received it.
pub const AUTH_QUERY: i32 = 1;

/// A response, as the authoritative server sent it.
pub const AUTH_RESPONSE: i32 = 2;
