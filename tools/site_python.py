"""The reference of Python: one page for each public name, from its signature and docstring.

Docstrings are numpydoc's, which is reStructuredText: pandoc reads sections as headings, and
arguments as lists of definitions.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Callable
from typing import Any

import imagestrata

_BREAK = "@@@ end of a docstring @@@"
_ESTIMATOR = {"fit", "fit_predict", "predict"}
_SAME = "@@@ described with the next @@@"
_BACKSLASH = "@@@backslash@@@"
_NAMES = {*imagestrata.__all__}


def write_reference(
    write: Callable[[str, str, str], None],
    pandoc: Callable[..., str],
    groups: list[tuple[str, list[str]]],
    twins: list[tuple[str, str]],
    topics: dict[str, str],
) -> None:
    """Writes a page for each name, and the list of them."""
    wanted = [piece for name in imagestrata.__all__ for piece in pieces(name)]
    made = pandoc(f"\n\n{_BREAK}\n\n".join(text for _, text in wanted), "--from=rst")
    parts = iter(re.split(rf"<p>{_BREAK}</p>", made))
    for name in imagestrata.__all__:
        body = _twin({r: topics[r] for python, r in twins if python == name})
        for member, _ in pieces(name):
            body += _shown(next(parts), name, member)
        write(f"python/{name}.html", name, body)
    assert next(parts, None) is None, "a docstring swallows the one after it"
    tables = []
    for heading, names in groups:
        rows = "".join(
            f'<tr><td><a href="{name}.html"><code>{name}{"" if name[0].isupper() else "()"}</code>'
            f"</a></td><td>{html.escape(_summary(name))}</td></tr>"
            for name in names
        )
        anchor = re.sub(r"\W+", "-", heading.lower())
        tables.append(f'<h2 id="{anchor}">{heading}</h2><table><tbody>{rows}</tbody></table>')
    about = (
        "<p><code>import imagestrata as ims</code>; all names below are in <code>ims</code>. "
        "Tables are pandas data frames. The same steps can be taken on the "
        '<a href="../docs/command-line.html">command line</a>, and in R by the '
        '<a href="../PARITY.html">same names</a>.</p>'
    )
    write("python/index.html", "Python reference", about + "".join(tables))


def pieces(name: str) -> list[tuple[str, str]]:
    """The docstrings of a page, each under its signature: of the name, and of its methods."""
    item = getattr(imagestrata, name)
    found = [("", _piece(f"imagestrata.{name}", item))]
    for member, value in _members(item) if inspect.isclass(item) else []:
        found.append((member, _piece(f"{name}.{member}", value)))
    return found


def _members(item: type) -> list[tuple[str, Any]]:
    """Public methods and properties with a docstring, those of the base classes after its own.

    Estimators have those of scikit-learn; others are for those who write one.
    """
    found = {}
    estimator = hasattr(item, "get_params")
    for base in item.__mro__:
        if base.__module__.startswith("imagestrata"):
            for member, value in vars(base).items():
                value = getattr(value, "__func__", value)
                described = inspect.isroutine(value) or isinstance(value, property)
                described &= member in _ESTIMATOR or not estimator
                if not member.startswith("_") and described and inspect.getdoc(value):
                    found.setdefault(member, value)
    return [*found.items()]


def _piece(name: str, item: Any) -> str:
    # pandoc takes a literal backslash for an escape.
    text = (inspect.getdoc(item) or "").replace("``\\``", f"``{_BACKSLASH}``")
    shown = name
    # Results are classes that nobody calls: those have attributes, and no example of a call.
    example = rf"^>>> .*\b{name.split('.')[-1]}\("
    called = "Parameters\n---" in text or re.search(example, text, re.MULTILINE)
    if inspect.isroutine(item) or (inspect.isclass(item) and called):
        shown = f"{name}{signature(item)}"
    code = "\n".join(f"   {line}" for line in shown.splitlines())
    return f".. code-block:: python\n\n{code}\n\n{_examples(_terms(text))}"


def signature(item: Any) -> str:
    """Arguments and their defaults, on one line if there is room."""
    parts, named = [], False
    for argument in inspect.signature(item).parameters.values():
        if argument.name in ("self", "cls"):
            continue
        if argument.kind is argument.KEYWORD_ONLY and not named:
            parts.append("*")
            named = True
        stars = {argument.VAR_POSITIONAL: "*", argument.VAR_KEYWORD: "**"}.get(argument.kind, "")
        named |= stars == "*"
        default = "" if argument.default is argument.empty else f"={argument.default!r}"
        parts.append(f"{stars}{argument.name}{default}".replace("=<factory>", "=..."))
    line = f"({', '.join(parts)})"
    if len(line) <= 60:
        return line
    return "(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def _terms(text: str) -> str:
    """A docstring in which each argument has a description, if only that of the next one."""
    lines = text.splitlines()
    section = ""
    for number, line in enumerate(lines):
        under = "".join(lines[number + 1 : number + 2])
        if re.fullmatch("-{3,}", under):
            section = line
        elif section in ("Parameters", "Attributes", "See Also") and re.match(r"[\w*]", line):
            lines[number] = line.replace("*", r"\*")  # stars of arguments, not emphasis
            if not under.startswith(" "):
                lines[number] += f"\n    {_SAME}"
    return "\n".join(lines)


def _examples(text: str) -> str:
    """A docstring whose examples are blocks of code."""
    chunks = text.split("\n\n")
    for number, chunk in enumerate(chunks):
        start = re.search(r"^>>> ", chunk, re.MULTILINE)
        if start:
            code = chunk[start.start() :].replace("\n", "\n   ")
            before = chunk[: start.start()]
            chunks[number] = f"{before}\n.. code-block:: python\n\n   {code}"
    return "\n\n".join(chunks)


def _shown(made: str, name: str, member: str) -> str:
    """A docstring as it stands on the page: levels of headings, links, types of arguments."""

    def heading(found: re.Match[str]) -> str:
        text = found[1]
        if member:
            return f"<h4>{text}</h4>"
        return f'<h2 id="{re.sub(r"[^a-z]+", "-", text.lower())}">{text}</h2>'

    made = made.replace('<div class="sourceCode"', '<div class="sourceCode dont-index"', 1)
    made = made.replace(_BACKSLASH, "\\")
    made = re.sub(rf"<dd>\s*<p>{_SAME}</p>\s*</dd>", "", made)
    made = re.sub(r"<h1[^>]*>(.*?)</h1>", heading, made, flags=re.DOTALL)
    made = re.sub(r"<dt>(.*?)</dt>", lambda found: f"<dt>{_term(found[1])}</dt>", made, flags=re.S)
    made = re.sub(
        r"<code>(\w+)(?:\(\))?</code>",
        lambda found: _link(found[1], True) if found[1] in _NAMES - {name} else found[0],
        made,
    )
    made = re.sub(
        r'<code\s+class="interpreted-text"\s+role="(\w+)">(.*?)</code>',
        lambda found: _link(found[2], found[1] in ("func", "meth")),
        made,
        flags=re.DOTALL,
    )
    # Names of lines of code would occur several times on a page of a class.
    made = re.sub(r'<a\s+href="#cb\d+-\d+"\s+aria-hidden="true"\s+tabindex="-1"></a>', "", made)
    made = re.sub(r' id="cb[\d-]+"', "", made)
    return f'<h2 id="{member}">{member}</h2>{made}' if member else made


def _term(text: str) -> str:
    """An argument and its type, or a type or a name of See Also."""
    name, colon, kind = text.partition(" : ")
    if not colon:
        return re.sub(r"\b[A-Z]\w+\b", lambda found: _type(found[0]), text)
    linked = _link(name, False) if name.removeprefix("imagestrata.") in _NAMES else None
    kind = re.sub(r"\b[A-Z]\w+\b", lambda found: _type(found[0]), kind)
    return f'{linked or f"<code>{name}</code>"} <span class="type">{kind}</span>'


def _type(name: str) -> str:
    return f'<a href="{name}.html">{name}</a>' if name in _NAMES else name


def _link(text: str, is_function: bool) -> str:
    """The page of a name that a docstring refers to, if it has one."""
    path = re.sub(r"^~?(imagestrata\.)?", "", " ".join(text.split())).split(".")
    call = "()" if is_function and not path[-1][:1].isupper() else ""
    while path and path[0] not in _NAMES:
        path = path[1:]
    if not path:
        return f"<code>{text.lstrip('~')}{call}</code>"
    anchor = f"#{path[1]}" if path[1:] and path[1] in dict(_members(_item(path[0]))) else ""
    return f'<a href="{path[0]}.html{anchor}"><code>{".".join(path)}{call}</code></a>'


def _item(name: str) -> Any:
    item = getattr(imagestrata, name)
    return item if inspect.isclass(item) else type(None)


def _summary(name: str) -> str:
    """The first line of a docstring, without marks."""
    line = (inspect.getdoc(getattr(imagestrata, name)) or "").splitlines()[0]
    return re.sub(r":\w+:`~?([^`]+)`|``", r"\1", line)


def _twin(pages: dict[str, str]) -> str:
    """Where the same is in R."""
    links = [f'<a href="../{page}"><code>{name}()</code></a>' for name, page in pages.items()]
    return f'<p class="twin">In R: {", ".join(links)}</p>' if links else ""
