"""How the target is talked to: what proves who we are, and whom we believe to be the target.

Both are the same for every request of every kind, from the workers and from the probe before the load.
"""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from loadgen.model.base import Model, require_exactly_one
from loadgen.model.references import FromEither, FromSecret
from loadgen.model.requests import Request
from loadgen.model.sendable import OWN_HEADERS

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-_.A-Za-z0-9]*$", min_length=1, max_length=64)]
ServerName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)]
RESERVED_HEADERS = (*OWN_HEADERS, "content-type")
"""What the generator writes itself."""


class HeaderFromSecret(FromSecret):
    """A header of any name, such as api-key."""

    name: HeaderName
    """Name of the header."""

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name.lower() in RESERVED_HEADERS:
            raise ValueError(f"{name!r} is written by the generator itself: name the header that takes the key")
        return name


class Authorization(Model):
    """A header that every request has, its value from a Secret. Exactly one of bearer, basic and header."""

    bearer: FromSecret | None = None
    """Authorization: Bearer …, as OpenAI's protocol has it. The Secret's key holds the token alone."""
    basic: FromSecret | None = None
    """Authorization: Basic …; the Secret's key holds user:password."""
    header: HeaderFromSecret | None = None
    """A header of its own name; the Secret's key holds the whole value."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        return require_exactly_one(self, "bearer", "basic", "header")

    @property
    def source(self) -> FromSecret:
        """Where the value comes from."""
        return next(one for one in (self.bearer, self.basic, self.header) if one)

    @property
    def header_name(self) -> str:
        """Name of the header."""
        return self.header.name if self.header else "Authorization"


class Tls(Model):
    """Whom to believe on https; set ca, serverName or both."""

    ca: FromEither | None = None
    """Certificates (PEM) of the authorities to trust instead of the system's; a self-signed certificate is its own authority."""
    server_name: ServerName | None = None
    """Name that the target's certificate must have, also sent as SNI. Default: the target's host, NAME.NAMESPACE.svc of a Service."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.ca is None and self.server_name is None:
            raise ValueError("set ca, serverName or both, or leave tls out: then the system's authorities are trusted")
        return self


class Access(Model):
    """Authorization and TLS of a target."""

    authorization: Authorization | None = None
    """A header with a key or password, from a Secret. Default: none."""
    tls: Tls | None = None
    """Whom to believe on https. Default: the system's authorities, and the target's host as name."""


def refuse_twice_given(access: Access, requests: Iterable[Request]) -> None:
    """Raises ValueError where a request has the very header that the authorization sets."""
    if access.authorization is None:
        return
    name = access.authorization.header_name
    for request in requests:
        for header in request.http.headers if request.http else ():
            if header.lower() == name.lower():
                raise ValueError(
                    f"requests[{request.name}].http.headers has {header!r}, which target.authorization sets from a "
                    "Secret: leave it out of the headers"
                )
