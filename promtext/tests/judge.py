"""Reads pages, each after a line with its length in bytes, and parses them with a parser that forgives nothing."""
import importlib
import sys

parser = importlib.import_module(sys.argv[1])
judged = 0
while line := sys.stdin.buffer.readline():
    page = sys.stdin.buffer.read(int(line)).decode()
    try:
        list(parser.text_string_to_metric_families(page))
    except Exception as error:
        sys.exit(f"{error!r} in\n{page}")
    judged += 1
print(judged)
