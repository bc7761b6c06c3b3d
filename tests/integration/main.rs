//! The `forthwith` command and its server as users have them: the real binary, on free ports, in folders of their own.

mod cli;
mod crash;
mod http;
mod support;
