"""What schemathesis can't know of the API: what there is, what a cursor is, and who may call what."""

import gzip
import json
import os
import re
import uuid

import schemathesis

# Of the paths that begin so, what their variables may be (the longest says it); and of shapes of bodies, what their fields may be.
PATHS = json.loads(os.environ["MAKIMA_TEST_PATHS"])
FIELDS = json.loads(os.environ["MAKIMA_TEST_FIELDS"])
HAS_KEY = os.environ["MAKIMA_TEST_HAS_KEY"] == "yes"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Puts what there is into the description, so that what lies behind ids is reached, and not only 404."""
    for path, item in raw_schema["paths"].items():
        known = {name: ids for start, names in PATHS.items() if path.startswith(start) for name, ids in names.items()}
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in known:
                    ids = known[parameter["name"]]
                    parameter["schema"] = {"type": "string", "format": "uuid", "enum": ids}
                    parameter["examples"] = {id: {"value": id} for id in ids}
    for shape, fields in FIELDS.items():
        properties = raw_schema["components"]["schemas"][shape]["properties"]
        for name, values in fields.items():
            assert name in properties, f"{shape} has no {name}"
            takes_null = "null" in str(properties[name])
            properties[name] = {"enum": values + [None] if takes_null else values}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives each request a key of its own: one that was carried out under the same key would be answered as it was then."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def after_call(context, case, response):
    """Writes down what was answered, for the test to see that nothing is refused always."""
    with open("answered", "a") as answered:
        print(response.status_code, case.operation.label, file=answered)


@schemathesis.deserializer("application/gzip")
def unpacked(context, response):
    """An archive, whose own checksum says that it is whole."""
    return gzip.decompress(response.content).decode("latin-1")


@schemathesis.check
def what_the_description_allows_is_understood(ctx, response, case):
    """What is right by the description may be refused for what there is, but is never said not to parse.

    Cursors aside: to the description any word is one, to a list only its own are. Tags too where their quotes, which belong to
    them, were lost on the way, and whole numbers that are written with a point: to the description they are integers.
    """
    is_right = case.meta is not None and case.meta.generation.mode.is_positive
    is_tag = str(response.request.headers.get("If-Match", "*")).startswith(("*", '"'))
    if is_right and is_tag and HAS_KEY and "cursor" not in (case.query or {}) and not has_pointed(case.body):
        assert response.status_code not in (400, 405, 413, 415, 421, 429), f"{response.status_code} for what is right"


def has_pointed(value):
    """Whether a whole number in it is written with a point."""
    if isinstance(value, dict):
        return any(map(has_pointed, value.values()))
    if isinstance(value, list):
        return any(map(has_pointed, value))
    return isinstance(value, float) and value.is_integer()


@schemathesis.check
def without_a_key_nobody_gets_in(ctx, response, case):
    """Nothing of a route that wants a key is told without one, not even what is wrong with the request."""
    wants_key = {} not in case.operation.definition.raw["security"]
    if not HAS_KEY and wants_key:
        assert response.status_code in (401, 405), f"{response.status_code} without a key"
