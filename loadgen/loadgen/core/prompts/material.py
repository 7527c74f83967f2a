"""What the content behind a plan's references is good for: a header's value, certificates, prompts, bodies.

Everything is judged before the load by whoever makes some (the operator for its probe, a worker, the command line), in
sentences that name the field and what would be right. None of them repeats anything of a Secret.
"""

from __future__ import annotations

import base64
import json
import ssl
from typing import TYPE_CHECKING, Any

from loadgen.model.access import Access
from loadgen.model.errors import InvalidPlanError
from loadgen.model.references import references
from loadgen.model.requests import OpenAIChat

if TYPE_CHECKING:
    from loadgen.model.plan import Plan
    from loadgen.model.prompts import JsonlPrompt
    from loadgen.model.references import Material, Reference

AUTHORIZATION, TLS = "target.authorization", "target.tls"
OPEN = Access()
"""No authorization, and the system's authorities."""
LONGEST_VALUE = 8192
"""Characters of a header's value: servers refuse longer heads."""
MOST_COMPLAINTS = 3
"""Bad lines of a file that are named."""


def wanted(plan: Plan, access: Access) -> tuple[Reference, ...]:
    """Every reference of a run."""
    return (*references(plan), *references(access, "target"))


def proof(access: Access) -> Reference | None:
    """The Secret's key that proves who we are."""
    return next(references(access.authorization, AUTHORIZATION), None) if access.authorization else None


def check(plan: Plan, access: Access, material: Material) -> None:
    """Raises InvalidPlanError with everything that cannot be used. All of the material must be there."""
    found = [*_unusable_prompts(plan, material), *_unusable(access, material)]
    if found:
        raise InvalidPlanError(found)


def _unusable_prompts(plan: Plan, material: Material) -> list[str]:
    found = []
    for request in plan.requests:
        if request.prompt is not None and request.prompt.jsonl is not None:
            key = request.prompt.jsonl.config_map_key_ref
            _, complaints = _read_lines(material[key.path], chat=isinstance(request.asked, OpenAIChat))
            where = next(one for one in references(plan) if one.to is key)
            found += [f"{where}, {complaint}" for complaint in complaints[:MOST_COMPLAINTS]]
    return found


def _unusable(access: Access, material: Material) -> list[str]:
    complaint = _complaint_about_the_value(access, material)
    found = [complaint] if complaint else []
    pem = authorities(access, material)
    if access.tls is not None and pem is not None and not _is_pem(pem):
        found += [f"{one}: no certificates in PEM (-----BEGIN CERTIFICATE-----)" for one in references(access.tls, TLS)]
    return found


def _is_pem(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True


def prompts(file: JsonlPrompt, material: Material, *, chat: bool) -> list[bytes]:
    """The prompts of a file as JSON: lists of messages for a chat, else texts. Raises InvalidPlanError."""
    lines, complaints = _read_lines(material[file.config_map_key_ref.path], chat=chat)
    if complaints:
        raise InvalidPlanError(complaints)
    return lines


def _read_lines(data: bytes, *, chat: bool) -> tuple[list[bytes], list[str]]:
    """What is right as JSON, and a sentence for each line that is wrong. Empty lines are passed over."""
    lines, complaints = [], []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            lines.append(json.dumps(_prompt(line, chat=chat), separators=(",", ":")).encode())
        except (ValueError, RecursionError) as error:
            complaints.append(f"line {number}: {error}")
    return lines, complaints if lines or complaints else ["it has no line with a prompt"]


def _prompt(line: bytes, *, chat: bool) -> Any:
    """A line's prompt as the body has it. Raises ValueError."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ValueError(f"not JSON ({error}); write one object a line") from error
    wanted = '{"prompt": "…"} or {"messages": […]}' if chat else '{"prompt": "…"}'
    if not isinstance(found, dict) or found.keys() not in ({"prompt"}, {"messages"} if chat else {"prompt"}):
        raise ValueError(f"not what is read here: write {wanted} and nothing else")
    if "messages" in found:
        return _messages(found["messages"])
    prompt = found["prompt"]
    if not isinstance(prompt, str) or not prompt:
        raise ValueError("prompt must be a text, and not empty")
    return [{"role": "user", "content": prompt}] if chat else prompt


def _messages(messages: Any) -> Any:
    if not isinstance(messages, list) or not messages:
        raise ValueError("messages must be a list, and not empty")
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ValueError('every message must be an object with a role, such as {"role": "user", "content": "…"}')
    return messages


def header(access: Access, material: Material) -> tuple[str, str] | None:
    """Name and value of the header that proves who we are. Raises InvalidPlanError."""
    if access.authorization is None:
        return None
    if complaint := _complaint_about_the_value(access, material):
        raise InvalidPlanError([complaint])
    value = _value(access, material)
    if access.authorization.bearer:
        value = f"Bearer {value}"
    if access.authorization.basic:
        value = f"Basic {base64.b64encode(value.encode()).decode()}"
    return access.authorization.header_name, value


def _value(access: Access, material: Material) -> str:
    """What the Secret's key holds; bytes that are no text become characters that no header may have."""
    assert access.authorization is not None  # noqa: S101  asked only where there is one
    return material[access.authorization.source.secret_key_ref.path].decode("latin-1")


def _complaint_about_the_value(access: Access, material: Material) -> str:
    """Why the value cannot be sent, without a word of it: a line's end in it would begin another header."""
    if access.authorization is None:
        return ""
    value, why = _value(access, material), ""
    if not value or len(value) > LONGEST_VALUE:
        why = f"the value has {len(value)} characters; a header takes 1 to {LONGEST_VALUE}"
    elif value[-1] in "\r\n":
        why = "the value ends with a line break: write it with printf or kubectl create secret --from-literal, not echo"
    elif not all(" " <= character <= "~" for character in value) or value != value.strip():
        why = "the value has control characters, blanks around it or other than ASCII; no header may have them"
    elif access.authorization.bearer and value.lower().startswith("bearer "):
        why = "the value begins with Bearer already: keep the token alone in the Secret, or use header"
    elif access.authorization.basic and ":" not in value:
        why = "the value of basic is user:password (it is encoded here)"
    return f"{proof(access)}: {why}" if why else ""


def authorities(access: Access, material: Material) -> str | None:
    """Certificates of the authorities to trust instead of the system's, PEM; other than ASCII is only in comments."""
    ca = access.tls.ca if access.tls else None
    return material[ca.path].decode("ascii", errors="ignore") if ca else None
