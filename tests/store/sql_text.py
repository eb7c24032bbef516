"""SQL laid out for reading: one column, condition or clause a line, long parameter lists shortened."""

import re

_TOKEN = re.compile(r"'(?:[^']|'')*'|[(),]|\s+|[^\s(),']+")
_CLAUSES = {"SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "LEFT", "JOIN", "UNION", "WITH"}
_PARAMETERS = re.compile(r"\((?:(?:%\(\w+\)s|\$\d+|\?)(?:::\w+)?, ){3,}(?:%\(\w+\)s|\$\d+|\?)(?:::\w+)?\)")


def laid_out(statement: str) -> str:
    """The statement on many lines."""
    text = _PARAMETERS.sub(lambda match: f"(… {match.group().count(', ') + 1} parameters)", statement)
    lines, line = [], ""
    levels = [0]  # for each open parenthesis, the depth of the SELECT it belongs to; -1 for a mere expression
    previous = ""
    for token in _TOKEN.findall(text):
        word = token.upper()
        if token.isspace():
            line += " " if line.strip() else ""
            continue
        in_select = levels[-1] >= 0
        starts = word == "SELECT" or ((in_select and (word in _CLAUSES or word == "AND")) and previous not in ("LEFT", "OUTER"))
        if word == "SELECT":
            levels[-1] = max(levels[-1], len(levels) - 1)
        if starts and line.strip():
            lines.append(line.rstrip())
            line = "    " * (len(levels) - 1) + ("  " if word == "AND" else "")
        line += token
        if token == "(":
            levels.append(-1)
        elif token == ")" and len(levels) > 1:
            levels.pop()
        elif token == "," and in_select:
            lines.append(line.rstrip())
            line = "    " * (len(levels) - 1) + "  "
        previous = word
    lines.append(line.rstrip())
    return "\n".join(lines)
