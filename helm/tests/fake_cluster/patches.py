"""Strategic merge patches and JSON merge patches, as far as Helm sends them."""

import copy

# Lists whose items have an identity. All others are replaced as a whole.
MERGE_KEYS = {
    "containers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "topologySpreadConstraints": "topologyKey",
}


def merge_key(field: str, items: list) -> str | None:
    if field == "ports" and items and isinstance(items[0], dict):
        return "containerPort" if "containerPort" in items[0] else "port"
    return MERGE_KEYS.get(field)


def apply(target: dict, patch: dict, strategic: bool) -> dict:
    """The patched object; `target` stays as it is."""
    result = copy.deepcopy(target)
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    for key in set(patch.get("$retainKeys", result)) ^ set(result):
        if "$retainKeys" in patch:
            result.pop(key, None)
    orders = {}
    for key, value in patch.items():
        if key.startswith("$setElementOrder/"):
            orders[key.split("/", 1)[1]] = value
        elif key.startswith("$deleteFromPrimitiveList/"):
            field = key.split("/", 1)[1]
            result[field] = [item for item in result[field] if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = apply(old if isinstance(old, dict) else {}, value, strategic)
        elif isinstance(value, list) and strategic and merge_key(key, value):
            result[key] = merge_lists(result.get(key, []), value, merge_key(key, value), strategic)
        else:
            result[key] = copy.deepcopy(value)
    for field, order in orders.items():
        key = merge_key(field, order)
        if key and field in result:
            places = {item[key]: place for place, item in enumerate(order)}
            result[field].sort(key=lambda item: places.get(item[key], len(places)))
    return result


def merge_lists(old: list, changes: list, key: str, strategic: bool) -> list:
    items = {item[key]: item for item in old}
    for change in changes:
        if change.get("$patch") == "delete":
            items.pop(change[key], None)
        else:
            items[change[key]] = apply(items.get(change[key], {}), change, strategic)
    return list(items.values())
