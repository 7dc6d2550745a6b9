//! For tests: repositories, a fake model API, scenarios
