"""Papermill with parameters for notebooks in Rust, a language that it does not know by itself.

    python papermill_taper.py in.ipynb out.ipynb -p STEPS 5

runs papermill; in a program of your own, `import papermill_taper` before `papermill.execute_notebook`. A parameter is
a constant of the cell tagged `parameters`; its new value gets the type that it has there.
"""

import re

from papermill.exceptions import PapermillException
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

# Name, type, value, and what a comment says of it.
CONSTANT = re.compile(r"^const (\w+)\s*:\s*([^=]+?)\s*=\s*(.+?);[ \t]*(?://[ \t]*(.*))?$", re.M)


class RustTranslator(Translator):
    # Papermill inspects the notebook before it asks for code.
    types = {}

    @classmethod
    def inspect(cls, parameters_cell):
        constants = CONSTANT.findall(parameters_cell.source)
        cls.types = {name: type_name for name, type_name, _, _ in constants}
        return [Parameter(*constant) for constant in constants]

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        lines = [f"// {comment}"]
        for name, value in parameters.items():
            if name not in cls.types:
                known = ", ".join(cls.types) or "none"
                raise PapermillException(
                    f"there is no constant {name} in the cell tagged `parameters`, only {known}"
                )
            lines.append(f"const {name}: {cls.types[name]} = {literal(value, cls.types[name])};")
        return "\n".join(lines) + "\n"


def literal(value, type_name):
    """A value of papermill's as a Rust literal."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}.0" if type_name in ("f32", "f64") else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\r", "\\r")):
            value = value.replace(char, escaped)
        return f'"{value}"'
    if isinstance(value, list):
        element = re.sub(r"^&?\s*\[|(;[^;]*)?\]$", "", type_name)
        elements = ", ".join(literal(item, element) for item in value)
        return ("&" if type_name.startswith("&") else "") + f"[{elements}]"
    raise PapermillException(f"there is no constant of the type {type_name} for {value!r}")


papermill_translators.register("rust", RustTranslator)

if __name__ == "__main__":
    from papermill.__main__ import papermill

    papermill()
