"""The base of every model that crosses a boundary, and the number type that the API allows.

Unknown fields are errors, instances are frozen, and names are camelCase outside and snake_case inside.
The API has no floats (they do not survive a round trip through every client unchanged): a number that may be
fractional is an integer or a decimal string.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

NUMBER_PATTERN = r"^[0-9]+(\.[0-9]{1,9})?$"
NUMBER_LENGTH = 32


class Model(BaseModel):
    """Strict, frozen, camelCase on the outside."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


ModelT = TypeVar("ModelT", bound=Model)


def _parse_number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f'{value!r} is not allowed here: write an integer or a decimal in quotes, such as "0.5"')
    if not re.fullmatch(NUMBER_PATTERN, str(value)):
        raise ValueError(f'{value!r} is not a non-negative decimal: write it as 5 or "0.5"')
    if len(str(value)) > NUMBER_LENGTH:
        raise ValueError(f"a number of {len(str(value))} digits is not allowed here: write at most {NUMBER_LENGTH}")
    return Decimal(value)


def _number_to_json(value: Decimal) -> int | str:
    return int(value) if value == value.to_integral_value() else format(value.normalize(), "f")


Number = Annotated[
    Decimal,
    BeforeValidator(_parse_number),
    PlainSerializer(_number_to_json),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": NUMBER_PATTERN, "maxLength": NUMBER_LENGTH}),
]
"""A non-negative decimal, written as an integer or a decimal string."""


def require_exactly_one(model: ModelT, *fields: str) -> ModelT:
    """Raises ValueError unless exactly one of the optional members is set."""
    given = [field for field in fields if getattr(model, field) is not None]
    if len(given) != 1:
        names = listed([type(model).model_fields[field].alias or field for field in fields])
        raise ValueError(f"set exactly one of {names}, not {len(given)}")
    return model


def listed(names: Sequence[str]) -> str:
    """One, two and three: as people write it."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
