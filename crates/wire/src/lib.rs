//! HTTP bodies, error codes and daemon frames
