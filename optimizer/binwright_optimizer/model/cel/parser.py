"""From text to tree, by recursive descent along CEL's grammar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from binwright_optimizer.model.cel.constants import amount, number, text_of, version
from binwright_optimizer.model.cel.patterns import checked_pattern
from binwright_optimizer.model.cel.tokens import Token, tokens_of
from binwright_optimizer.model.cel.tree import Expression, Op, Type

LONGEST = 10 * 1024
"""Longest expression, as in Kubernetes (CELSelectorExpressionMaxLength)."""
DEEPEST = 50
"""Brackets, negations and choices inside each other."""
LARGEST = 10_000
"""Nodes of a tree: ``cel.bind`` inside ``cel.bind`` could double them again and again."""
_KEPT = 1_000
"""Parsed expressions that are kept."""

_COMPARISONS = {op.value: op for op in (Op.EQUAL, Op.NOT_EQUAL, Op.LESS, Op.AT_MOST, Op.GREATER, Op.AT_LEAST)}
_TEXT_TESTS = {op.value: op for op in (Op.STARTS_WITH, Op.ENDS_WITH, Op.CONTAINS, Op.MATCHES)}
_FOLDS = {op.value: op for op in (Op.LOWER, Op.UPPER)}


@dataclass(frozen=True, slots=True)
class _Domain:
    """``device.attributes["domain"]`` or the like, of which a part is still to be named."""

    op: Op
    name: str


@dataclass(frozen=True, slots=True)
class _Part:
    """``device``, ``device.attributes`` or ``device.capacity``."""

    name: str


_Value = Expression | _Domain | _Part

_parsed: dict[str, Expression] = {}


def parse(text: str) -> Expression:
    """The tree of an expression that yields a truth value.

    Raises
    ------
    ValueError
        If it is beyond what is read.
    """
    known = _parsed.get(text)
    if known is None:
        if len(text) > LONGEST:
            raise ValueError(f"is longer than {LONGEST} characters")
        known = _Parser(tokens_of(text)).whole()
        if len(_parsed) >= _KEPT:
            _parsed.clear()
        _parsed[text] = known
    return known


class _Parser:
    """Recursive descent by CEL's grammar; ``cel.bind`` is replaced as it is read."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        """The expression up to the end."""
        result = self._truth(self._choice({}))
        if self._peek().kind != "end":
            raise self._not_understood()
        if result.size() > LARGEST:
            raise ValueError("is too large once cel.bind is written out")
        return result

    def _choice(self, names: Mapping[str, _Value]) -> _Value:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"is nested more than {DEEPEST} deep")
        result = self._or(names)
        if self._accept("?"):
            condition = self._truth(result)
            first = self._expression(self._choice(names))
            self._expect(":")
            second = self._expression(self._choice(names))
            kind = first.type if first.type is second.type else Type.ANY
            result = Expression(Op.CHOICE, (condition, first, second), type=kind)
        self._depth -= 1
        return result

    def _or(self, names: Mapping[str, _Value]) -> _Value:
        first = self._and(names)
        others = []
        while self._accept("||"):
            others.append(self._truth(self._and(names)))
        return Expression(Op.OR, (self._truth(first), *others)) if others else first

    def _and(self, names: Mapping[str, _Value]) -> _Value:
        first = self._relation(names)
        others = []
        while self._accept("&&"):
            others.append(self._truth(self._relation(names)))
        return Expression(Op.AND, (self._truth(first), *others)) if others else first

    def _relation(self, names: Mapping[str, _Value]) -> _Value:
        left = self._unary(names)
        token = self._peek()
        if token.text in _COMPARISONS and token.kind == "sign":
            self._next += 1
            right = self._expression(self._unary(names))
            return self._comparison(_COMPARISONS[token.text], self._expression(left), right)
        if (token.kind, token.text) == ("name", "in"):
            self._next += 1
            return self._membership(self._expression(left), self._unary(names))
        return left

    def _comparison(self, op: Op, left: Expression, right: Expression) -> Expression:
        types = {left.type, right.type} - {Type.ANY}
        if len(types) > 1 or Type.LIST in types:
            raise ValueError(f"{left.type} is compared with {right.type}")
        is_ordered = op not in (Op.EQUAL, Op.NOT_EQUAL)
        if is_ordered and types & {Type.AMOUNT, Type.VERSION}:
            raise ValueError(f"{op} does not compare {types.pop()}: use compareTo()")
        return Expression(op, (left, right))

    def _membership(self, left: Expression, right: _Value) -> Expression:
        if isinstance(right, _Domain):
            if left.op is not Op.CONSTANT or left.type is not Type.TEXT:
                raise ValueError("the name before in must be a constant")
            return _presence(right, str(left.value))
        right = self._expression(right)
        if right.type is not Type.LIST:
            raise ValueError("in needs a list of constants, or attributes or capacities of a domain")
        return Expression(Op.IN, (left, right))

    def _unary(self, names: Mapping[str, _Value]) -> _Value:
        if self._accept("!"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise ValueError(f"is nested more than {DEEPEST} deep")
            result = Expression(Op.NOT, (self._truth(self._unary(names)),))
            self._depth -= 1
            return result
        if self._accept("-"):
            token = self._take("number")
            return Expression(Op.CONSTANT, value=-number(token), type=Type.INT)
        return self._member(names)

    def _member(self, names: Mapping[str, _Value]) -> _Value:
        result = self._primary(names)
        while True:
            if self._accept("["):
                key = self._expression(self._choice(names))
                self._expect("]")
                if key.op is not Op.CONSTANT or key.type is not Type.TEXT:
                    raise ValueError("what stands in square brackets must be a text")
                result = self._inside(result, str(key.value), is_domain=True)
            elif self._accept("."):
                name = self._take("name")
                if self._peek().text == "(" and self._peek().kind == "sign":
                    result = self._call(name, self._expression(result), names)
                else:
                    result = self._inside(result, name.text, is_domain=False)
            else:
                return result

    def _inside(self, value: _Value, name: str, *, is_domain: bool) -> _Value:
        """What ``value.name`` or ``value["name"]`` is."""
        if isinstance(value, _Domain):
            kind = Type.ANY if value.op is Op.ATTRIBUTE else Type.AMOUNT
            return Expression(value.op, value=f"{value.name}/{name}", type=kind)
        if isinstance(value, _Part):
            path = f"{value.name}.{name}"
            if value.name == "device" and not is_domain:
                if path == Op.DRIVER:
                    return Expression(Op.DRIVER, type=Type.TEXT)
                if path in (Op.ATTRIBUTE, Op.CAPACITY):
                    return _Part(path)
            elif value.name != "device" and is_domain:
                return _Domain(Op(value.name), name)
        raise self._not_understood(-1)

    def _primary(self, names: Mapping[str, _Value]) -> _Value:
        token = self._peek()
        self._next += 1
        if token.kind == "text":
            return Expression(Op.CONSTANT, value=text_of(token.text), type=Type.TEXT)
        if token.kind == "number":
            return Expression(Op.CONSTANT, value=number(token), type=Type.INT)
        if token.text == "(":
            result = self._choice(names)
            self._expect(")")
            return result
        if token.text == "[":
            return self._list(names)
        if token.kind != "name":
            raise self._not_understood(-1)
        if token.text in ("true", "false"):
            return Expression(Op.CONSTANT, value=token.text == "true")
        if token.text in names:
            return names[token.text]
        if token.text == "device":
            return _Part("device")
        if token.text == "has" and self._accept("("):
            return self._has(names)
        if token.text == "cel" and self._accept(".") and self._take("name").text == "bind":
            return self._bind(names)
        if token.text in ("quantity", "semver") and self._accept("("):
            constant = self._take("text")
            self._expect(")")
            return amount(constant) if token.text == "quantity" else version(constant)
        raise self._not_understood(-1)

    def _list(self, names: Mapping[str, _Value]) -> Expression:
        values: list[Expression] = []
        while not self._accept("]"):
            if values:
                self._expect(",")
            values.append(self._expression(self._unary(names)))
        if any(v.op is not Op.CONSTANT for v in values) or len({v.type for v in values}) > 1:
            raise ValueError("a list must hold constants of one type")
        return Expression(Op.CONSTANT, value=tuple(v.value for v in values), type=Type.LIST)  # type: ignore[arg-type]

    def _has(self, names: Mapping[str, _Value]) -> Expression:
        value = self._choice(names)
        self._expect(")")
        if not isinstance(value, Expression) or value.op not in (Op.ATTRIBUTE, Op.CAPACITY):
            raise ValueError("has() takes an attribute or a capacity")
        domain, _, name = str(value.value).rpartition("/")
        return _presence(_Domain(value.op, domain), name)

    def _bind(self, names: Mapping[str, _Value]) -> _Value:
        self._expect("(")
        name = self._take("name").text
        self._expect(",")
        value = self._choice(names)
        self._expect(",")
        result = self._choice({**names, name: value})
        self._expect(")")
        return result

    def _call(self, name: Token, value: Expression, names: Mapping[str, _Value]) -> Expression:
        self._expect("(")
        if name.text in _FOLDS:
            self._expect(")")
            self._is_text(name, value)
            return Expression(_FOLDS[name.text], (value,), type=Type.TEXT)
        is_order = name.text in ("compareTo", "isGreaterThan", "isLessThan")
        if name.text not in _TEXT_TESTS and not is_order:
            raise ValueError(f"{name.text!r} is not understood at character {name.at + 1}")
        argument = self._expression(self._choice(names))
        self._expect(")")
        if name.text in _TEXT_TESTS:
            self._is_text(name, value)
            self._is_text(name, argument)
            op = _TEXT_TESTS[name.text]
            if op is Op.MATCHES:
                if argument.op is not Op.CONSTANT:
                    raise ValueError("matches() takes a constant pattern")
                if not _is_of_device(value):
                    raise ValueError("matches() is for an attribute or the driver")
                checked_pattern(str(argument.value))
            return Expression(op, (value, argument))
        types = {value.type, argument.type} - {Type.ANY}
        if types not in ({Type.AMOUNT}, {Type.VERSION}):
            raise ValueError(f"{name.text}() compares quantities or versions, not {value.type}")
        order = Expression(Op.ORDER, (value, argument), type=Type.INT)
        if name.text == "compareTo":
            return order
        op = Op.GREATER if name.text == "isGreaterThan" else Op.LESS
        return Expression(op, (order, Expression(Op.CONSTANT, value=0, type=Type.INT)))

    def _is_text(self, name: Token, value: Expression) -> None:
        if value.type not in (Type.TEXT, Type.ANY):
            raise ValueError(f"{name.text}() is for text, not for {value.type}")

    def _truth(self, value: _Value) -> Expression:
        expression = self._expression(value)
        if expression.type not in (Type.BOOL, Type.ANY):
            raise ValueError(f"{expression.type} is no truth value")
        return expression

    def _expression(self, value: _Value) -> Expression:
        if isinstance(value, Expression):
            return value
        name = value.name if isinstance(value, _Part) else f'{value.op}["{value.name}"]'
        raise ValueError(f"{name} is not understood without the name of a part of it")

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _accept(self, sign: str) -> bool:
        token = self._peek()
        is_next = token.kind == "sign" and token.text == sign
        self._next += is_next
        return is_next

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise ValueError(f"lacks {sign!r} at character {self._peek().at + 1}")

    def _take(self, kind: str) -> Token:
        token = self._peek()
        if token.kind != kind:
            raise self._not_understood()
        self._next += 1
        return token

    def _not_understood(self, offset: int = 0) -> ValueError:
        token = self._tokens[min(self._next + offset, len(self._tokens) - 1)]
        if token.kind == "end":
            return ValueError("ends too early" if token.at else "is empty")
        return ValueError(f"{token.text!r} is not understood at character {token.at + 1}")


def _is_of_device(value: Expression) -> bool:
    """Whether a text is one of the device, whose texts are short, in whatever case."""
    while value.op in (Op.LOWER, Op.UPPER):
        [value] = value.args
    return value.op in (Op.ATTRIBUTE, Op.DRIVER)


def _presence(domain: _Domain, name: str) -> Expression:
    op = Op.HAS_ATTRIBUTE if domain.op is Op.ATTRIBUTE else Op.HAS_CAPACITY
    return Expression(op, value=f"{domain.name}/{name}")
