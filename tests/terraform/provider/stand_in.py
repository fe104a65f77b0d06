#!/usr/bin/env python3
"""A Terraform provider that knows names and types and does nothing.

With it `terraform validate`, and `terraform test` with a mocked provider, work where the AWS provider cannot be
downloaded. It speaks protocol 5 of Terraform's plugins
(https://github.com/hashicorp/terraform/blob/main/docs/plugin-protocol/tfplugin5.proto), with the few messages that this
takes written by hand, and serves the schemas of aws.json. AWS is never called: reading, planning and applying are
refused, and what a test mocks Terraform makes up by itself.
"""

import json
import sys
from concurrent import futures
from pathlib import Path

import grpc

SCHEMAS = Path(__file__).resolve().parent / "aws.json"
NESTING = {"list": 2, "set": 3}


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(field, number):
    return varint(field << 3) + varint(number)


def message(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def fields(content):
    """The length-delimited fields of a message; numbers are skipped."""
    found, position = {}, 0
    while position < len(content):
        key, position = read_varint(content, position)
        length, position = read_varint(content, position)
        if key & 7 == 2:
            found[key >> 3] = content[position : position + length]
            position += length
    return found


def read_varint(content, position):
    number = shift = 0
    while True:
        byte = content[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, position


def attribute(name, kind, required, settable):
    out = message(1, name) + message(2, json.dumps(kind))
    if required:
        return out + integer(4, 1)
    # What may be left out may also be chosen by AWS: which it is does not stand in the data, and nothing depends on it.
    return out + (integer(5, 1) if settable else b"") + integer(6, 1)


def block(schema):
    out = b""
    for name, argument in schema["arguments"].items():
        out += message(2, attribute(name, argument["type"], argument["required"], True))
    for name, kind in schema.get("attributes", {}).items():
        out += message(2, attribute(name, kind, False, False))
    for name, nested in schema["blocks"].items():
        inner = message(1, name) + message(2, block(nested)) + integer(3, NESTING[nested["nesting"]])
        out += message(3, inner + (integer(4, 1) if nested["required"] else b""))
    return out


def provider_schema():
    """GetProviderSchema.Response."""
    known = json.loads(SCHEMAS.read_text())
    region = {"arguments": {"region": {"type": "string", "required": False}}, "blocks": {}}
    out = message(1, message(2, block(region)))
    for field, kind in ((2, "resource"), (3, "data")):
        for name, schema in known[kind].items():
            out += message(field, message(1, name) + message(2, message(2, block(schema))))
    return out


def prepare_provider_config(request):
    return message(1, fields(request).get(1, b""))


def upgrade_resource_state(request):
    state = fields(fields(request).get(3, b"")).get(1, b"null")
    return message(1, message(2, state))


def main():
    schema = provider_schema()
    answers = {
        "GetSchema": lambda _: schema,
        "PrepareProviderConfig": prepare_provider_config,
        "ValidateResourceTypeConfig": lambda _: b"",
        "ValidateDataSourceConfig": lambda _: b"",
        "UpgradeResourceState": upgrade_resource_state,
        "Stop": lambda _: b"",
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(lambda request, _, answer=answer: answer(request))
        for name, answer in answers.items()
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin5.Provider", handlers),))
    # How go-plugin asks for the end; unanswered it would wait for two seconds.
    shutdown = grpc.unary_unary_rpc_method_handler(lambda *_: server.stop(grace=None) and b"")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": shutdown}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"1|5|tcp|127.0.0.1:{port}|grpc", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    sys.exit(main())
