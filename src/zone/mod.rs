//! What a zone says of its names: master files now; the tree of names and its checks beside them.

pub mod master;
