"""Reads a page of metrics from stdin with the parser named as argument; prints its families as JSON."""
import importlib, json, sys

parser = importlib.import_module(sys.argv[1])
page = sys.stdin.buffer.read().decode()
try:
    families = list(parser.text_string_to_metric_families(page))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")


def sample(each):
    return {"name": each.name, "labels": each.labels, "value": repr(float(each.value))}


json.dump(
    [
        {"name": f.name, "type": f.type, "unit": f.unit, "help": f.documentation, "samples": [sample(s) for s in f.samples]}
        for f in families
    ],
    sys.stdout,
)
