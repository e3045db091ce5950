//! towline-gateway
