"""The log events that operators alert on are those that docs/glossary.md lists, with level and fields."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*?) *\|", re.MULTILINE)


def calls_of_loggers() -> list[tuple[str, ast.Call]]:
    trees = (ast.parse(path.read_text()) for path in (ROOT / "services").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [
        (LEVELS[call.func.attr], call)
        for call in nodes
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
        and call.func.attr in LEVELS
    ]


def row_of(level: str, call: ast.Call) -> str:
    event = ast.literal_eval(call.args[0])
    fields = sorted(one.arg for one in call.keywords if one.arg not in (None, "exc_info"))
    return f"| `{event}` | {level} | {', '.join(f'`{field}`' for field in fields)} |"


def test_the_glossary_lists_every_log_event_with_its_level_and_fields() -> None:
    in_code = {row_of(level, call) for level, call in calls_of_loggers()}
    table = (ROOT / "docs" / "glossary.md").read_text().partition("## Log events")[2]
    listed = {f"| `{event}` | {level} | {fields} |" for event, level, fields in ROW.findall(table)}
    assert sorted(listed) == sorted(in_code)
