"""Decodes the Secrets in which Helm stores releases. It sends them in Kubernetes' protobuf encoding."""

import base64

HEADER = b"k8s\0"


def fields(data: bytes):
    """The numbers and values of the fields of a message."""
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        number, wire = divmod(varint(), 8)
        if wire == 0:
            yield number, varint()
        elif wire == 2:
            length = varint()
            yield number, data[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {wire}")


def strings(entries: list[bytes]) -> dict[str, bytes]:
    return {dict(fields(entry))[1].decode(): dict(fields(entry)).get(2, b"") for entry in entries}


def secret(body: bytes) -> dict:
    """A Secret as the JSON that a client would send."""
    raw = dict(fields(body.removeprefix(HEADER)))[2]
    parts = list(fields(raw))
    meta = list(fields(dict(parts)[1]))
    plain = dict(meta)
    metadata = {"name": plain[1].decode(), "namespace": plain.get(3, b"").decode()}
    labels = strings([value for number, value in meta if number == 11])
    metadata["labels"] = {key: value.decode() for key, value in labels.items()}
    data = strings([value for number, value in parts if number == 2])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": dict(parts).get(3, b"Opaque").decode(),
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
