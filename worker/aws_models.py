"""What the worker uses of botocore's models of AWS: whole ones take 30 MB and most of a second.

A model names a service's operations, and the shapes of what goes in and comes out of them. What is
not in ``OPERATIONS`` is cut out as a model is read, so calling it is an ``AttributeError``.

``python -m worker.aws_models FOLDER`` cuts the files of botocore's folder ``data`` for good: the
image has nothing else.
"""

from __future__ import annotations

import gzip
import shutil
import sys

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from botocore.loaders import Loader, create_loader


#: The operations that are called, by service. botocore itself asks S3 where a bucket is, opens
#: sessions of directory buckets, and may ask DynamoDB for endpoints.
OPERATIONS: Final[Mapping[str, frozenset[str]]] = {
    "connect": frozenset(
        {
            "DescribeContact",
            "DescribeQueue",
            "DescribeUser",
            "GetContactAttributes",
            "UpdateContactAttributes",
        }
    ),
    "dynamodb": frozenset(
        {
            "BatchGetItem",
            "CreateTable",
            "DeleteItem",
            "DescribeContinuousBackups",
            "DescribeEndpoints",
            "DescribeTable",
            "DescribeTimeToLive",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "UpdateContinuousBackups",
            "UpdateItem",
            "UpdateTimeToLive",
        }
    ),
    "kinesis": frozenset({"DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"}),
    "s3": frozenset(
        {
            "CreateSession",
            "GetBucketNotificationConfiguration",
            "GetObject",
            "HeadBucket",
            "ListObjectsV2",
        }
    ),
    "secretsmanager": frozenset({"GetSecretValue"}),
    "sqs": frozenset(
        {
            "ChangeMessageVisibilityBatch",
            "DeleteMessageBatch",
            "GetQueueAttributes",
            "ReceiveMessage",
        },
    ),
}

#: What botocore gets credentials from; these are left whole.
CREDENTIALS: Final = frozenset({"signin", "sso", "sso-oidc", "sts"})

#: What endpoints are known of, by their names there.
ENDPOINTS: Final = frozenset({*OPERATIONS, "oidc", "portal.sso", "signin", "sts"})

#: How files are opened, by their ending.
OPENED: Final[Mapping[str, Callable[..., Any]]] = {".json": open, ".json.gz": gzip.open}


def used_models(search_path: str | None) -> Loader:
    """Botocore's loader, of models without what is not used; see its ``create_loader``."""
    loader = create_loader(search_path)
    loader.file_loader = _Files()
    return loader


class _Files:
    """Reads a model's file as botocore's ``JSONFileLoader`` does, but cut, and as plain dicts."""

    def exists(self, path: str) -> bool:
        return any(Path(path + ending).is_file() for ending in OPENED)

    def load_file(self, path: str) -> Any:
        for ending, opened in OPENED.items():
            if Path(path + ending).is_file():
                with opened(path + ending, "rb") as file:
                    return cut(Path(path), orjson.loads(file.read()))
        return None


def cut(path: Path, model: dict[str, Any]) -> dict[str, Any]:
    """A model without what is not used.

    Args:
        path: Its file, without the ending: ``…/SERVICE/DATE/service-2`` or ``…/endpoints``.
        model: As it is read.
    """
    if path.name == "endpoints":
        return {**model, "partitions": [*map(_partition, model["partitions"])]}
    if path.name == "service-2" and (used := OPERATIONS.get(path.parts[-3])):
        return _service(model, used)
    return model


def _partition(partition: dict[str, Any]) -> dict[str, Any]:
    services = partition["services"]
    return {**partition, "services": {k: services[k] for k in services.keys() & ENDPOINTS}}


def _service(model: dict[str, Any], used: Iterable[str]) -> dict[str, Any]:
    operations = {name: model["operations"][name] for name in used}
    shapes, reached = model["shapes"], set(_named(operations))
    ahead = list(reached)
    while ahead:
        further = set(_named(shapes[ahead.pop()])) - reached
        reached |= further
        ahead += further
    kept = {"operations": operations, "shapes": {name: shapes[name] for name in reached}}
    return {**model, **{name: _wordless(part) for name, part in kept.items()}}


def _wordless(part: Any) -> Any:
    """A part of a model without its explanations, four fifths of what is left."""
    if isinstance(part, list):
        return [*map(_wordless, part)]
    if not isinstance(part, dict):
        return part
    return {
        key: _wordless(value)
        for key, value in part.items()
        if key != "documentation" or not isinstance(value, str)
    }


def _named(part: Any) -> Iterator[str]:
    """The shapes that a part of a model refers to: wherever it says ``"shape": NAME``."""
    if isinstance(part, list):
        part = dict(enumerate(part))
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _named(value)


def cut_files(data: Path) -> None:
    """Cut the models in a folder like botocore's ``data``, and remove those of other services."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in OPERATIONS.keys() | CREDENTIALS:
            shutil.rmtree(service)
    files = _Files()
    for file in [*data.rglob("*.json"), *data.rglob("*.json.gz")]:
        path = file.with_name(file.name.removesuffix(".gz").removesuffix(".json"))
        model = orjson.dumps(files.load_file(str(path)))
        file.write_bytes(gzip.compress(model) if file.suffix == ".gz" else model)


if __name__ == "__main__":
    cut_files(Path(sys.argv[1]))
