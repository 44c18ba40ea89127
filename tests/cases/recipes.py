"""The recipes of RECIPES.md as it stands."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "RECIPES.md").read_text(encoding="utf-8")
SQL = dict(re.findall(r"## ([^\n]+)\n(?:(?!\n## ).)*?```sql\n(.*?)```", TEXT, re.DOTALL))
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
