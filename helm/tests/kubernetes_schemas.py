"""Strict validation of objects: Kubernetes' own schemas, and small ones of ours for custom resources."""

import functools
import json
import logging
from pathlib import Path

import jsonschema
import kubernetes_validate
import kubernetes_validate.utils

# It reads the same large files for every object.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)
logging.disable(logging.WARNING)
CUSTOM = Path(__file__).parent / "crds"


@functools.cache
def custom(kind: str) -> jsonschema.Draft7Validator | None:
    file = CUSTOM / f"{kind}.json"
    return jsonschema.Draft7Validator(json.loads(file.read_text())) if file.is_file() else None


def errors(document: dict, version: str) -> list[str]:
    """What a Kubernetes of this version would refuse; unknown fields and unknown kinds included."""
    if validator := custom(document["kind"]):
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []
