"""Staff accounts: added by whoever runs the installation; signing in is the web's part."""

import secrets
from collections.abc import Callable, Sequence

from babymind.clock import utc_now
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.store import staff, studies
from babymind.store.staff import Staff, StaffRole, StaffRoleName, audit

SHORTEST_PASSWORD = 12


def add_staff(ctx: Context, email: str, password: str, *, roles: Sequence[str], hash_password: Callable[[str], str],
              name: str | None = None, study: str | None = None, actor: str = "command") -> int:  # fmt: skip
    """Add an account and return its id.

    Raises:
        InvalidInputError: No address, an unknown role, or a password that is too short.
        ConflictError: The address has an account already.
    """
    address = email.strip().casefold()
    if address.count("@") != 1 or address.startswith("@") or address.endswith("@"):
        raise InvalidInputError(f"'{email}' is not an e-mail address.")
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInputError(f"The password is too short; at least {SHORTEST_PASSWORD} characters.")
    unknown = [role for role in roles if role not in list(StaffRoleName)]
    if unknown or not roles:
        raise InvalidInputError(f"Give one or more roles of {', '.join(StaffRoleName)}.")
    hashed = hash_password(password)
    now = utc_now()
    with ctx.sessions.begin() as session:
        if staff.staff_by_email(session, address):
            raise ConflictError(f"{address} has an account already.")
        row = studies.study_by_slug(session, study) if study else None
        if study and row is None:
            raise NotFoundError(f"There is no study '{study}'.")
        account = Staff(
            email=address, password=hashed, active=True, fs_uniquifier=secrets.token_hex(32),
            name=name or address.partition("@")[0], created_at=now,
            roles=[StaffRole(name=StaffRoleName(role), study_id=row.id if row else None) for role in roles],
        )  # fmt: skip
        session.add(account)
        session.flush()
        audit(session, at=now, actor=actor, action="add", subject="staff", subject_id=account.id)
        return account.id
