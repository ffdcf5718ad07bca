"""What schemathesis has to know to send records as lines of JSON."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(_, value):
    if isinstance(value, bytes):
        return value
    records = value if isinstance(value, list) else [value]
    return "\n".join(json.dumps(record) for record in records).encode()
