"""A second of ordinary Python: JSON, dictionaries, strings, sorting. What `make run` runs when it is given no command."""
import collections
import json
import re

WORDS = re.findall(r"\w+", __doc__ * 40)


def records(n):
    """n small nested dictionaries."""
    return [{"id": i, "name": "record-%d" % i, "tags": [WORDS[(i + k) % len(WORDS)] for k in range(5)],
             "pos": {"x": i * 0.5, "y": -i}} for i in range(n)]


def main():
    """Builds, serialises, parses, counts and sorts; prints a checksum that must not depend on the allocator."""
    total = 0
    for i in range(4):
        text = json.dumps(records(20000))
        data = json.loads(text)
        count = collections.Counter(tag for record in data for tag in record["tags"])
        index = {record["name"]: record for record in data}
        order = sorted(index, key=lambda name: (len(name), name[::-1]))
        total += len(text) + sum(count.values()) + len(order[i])
    print(total)


if __name__ == "__main__":
    main()
