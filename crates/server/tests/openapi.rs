//! The API's description, as it is. A change here is a change of the API: look at it, then accept it with `make openapi`.

#[test]
fn the_description_is_the_one_that_was_accepted() {
    insta::assert_snapshot!(makima_server::openapi().to_pretty_json().unwrap());
}
