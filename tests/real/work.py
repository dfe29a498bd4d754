"""Work for an allocator, with a result that depends only on the code: objects of all lifetimes, compiled code, threads."""
import ast
import gc
import hashlib
import json
import threading


def containers():
    """Dictionaries and lists that grow, shrink and die in another order than they were made."""
    keep, result = {}, 0
    for i in range(120000):
        keep[i * 7919 % 20011] = [i, str(i) * (i % 9), {"k": i}]
        if i % 3 == 0:
            dropped = keep.pop(i * 104729 % 20011, None)
            result += dropped[0] if dropped else 1
    return result, len(keep), len(json.dumps(keep))


def compiled():
    """Syntax trees and code objects: many small blocks that live together."""
    source = "\n".join("def f%d(a, b=%d):\n    return [a * x + b for x in range(%d) if x %% 3]" % (i, i, i % 20) for i in range(1500))
    names = {}
    for _ in range(3):
        exec(compile(ast.parse(source), "made", "exec"), names)  # the test's own text
    return sum(names["f%d" % i](2)[-1] for i in range(10, 1500) if i % 20 > 2)


def big():
    """Integers and bytes of megabytes."""
    n = 3
    for _ in range(17):
        n = n * n + 1
    data = bytearray()
    for i in range(300):
        data += bytes([i % 256]) * 9973
    return n % 1000003, hashlib.sha256(data).hexdigest()


def threads():
    """Objects made in one thread and dropped in another."""
    queue, lock, total = [], threading.Lock(), [0]

    def run(seed):
        for i in range(8000):
            item = [seed * i % 257, "t" * (i % 40)]
            with lock:
                queue.append(item)
                total[0] += queue.pop(0)[0] if len(queue) > 500 else 0

    workers = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(queue)


print(containers(), compiled(), big(), threads())
print(gc.collect() >= 0)
