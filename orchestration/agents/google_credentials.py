"""Google's credentials: which there are, and tokens from them.

In this order: the file of the setting `credentials_file`, the application default credentials
(the file that `GOOGLE_APPLICATION_CREDENTIALS` names, the one of `gcloud auth
application-default login`), and the metadata server of Google's own machines.

A token opens all that its account may do in the cloud, and goes to the host that an address
names. So it goes to Google's hosts and to this machine only, and elsewhere if `trusted_hosts`
says so.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.agents.google_address import host_name
from orchestration.agents.google_errors import token_error
from state.errors import AgentAuthError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.oauth2.credentials import Credentials as GivenToken

    from orchestration.agents.google_address import GooglePlace

SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_FILE_VARIABLE: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_MACHINE_VARIABLES: Final = (
    "GCE_METADATA_HOST",
    "GCE_METADATA_ROOT",
    "GCE_METADATA_IP",
    "K_SERVICE",
    "CLOUD_RUN_JOB",
    "GAE_ENV",
    "KUBERNETES_SERVICE_HOST",
)
"""Where one of them is set, there may be a metadata server."""
_PRODUCT: Final = Path("/sys/class/dmi/id/product_name")
_FILE_TYPES: Final = ("service_account", "authorized_user")
_LONGEST_TOKEN_WAIT: Final = 20.0
"""Seconds for one request for a token."""
_NO_TOKEN: Final = "loopback"  # noqa: S105  no secret: it stands in for a token


def credential_problems(place: GooglePlace, settings: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the credentials for a place, as far as this machine knows.

    Nobody is asked, so credentials that are there may still be refused.
    """
    if place.is_clear and not place.is_loopback:
        yield (
            f"{place.host!r} would get Google's credentials in clear text; use https:// or "
            "grpcs://, or a loopback address"
        )
    elif not may_have_tokens(place, settings):
        yield (
            f"{place.host!r} is no host of Google's and would get Google's credentials; if it "
            f"leads to Vertex AI and is trusted, say trusted_hosts: [{place.host_name}]"
        )
    file = settings.get("credentials_file")
    if file is not None:
        if why := _file_problem(file):
            yield f"credentials_file is {str(file)!r}, which {why}"
    elif (named := os.environ.get(_FILE_VARIABLE)) and not Path(named).is_file():
        yield f"{_FILE_VARIABLE} is {named!r}, which is no file"
    elif not place.is_loopback and not _may_have_defaults():
        yield (
            f"there are no credentials for Google: give credentials_file, set {_FILE_VARIABLE}, "
            "or run `gcloud auth application-default login`; on a machine of Google's that is "
            "not recognised, set GCE_METADATA_HOST=metadata.google.internal"
        )


def may_have_tokens(place: GooglePlace, settings: Mapping[str, Any]) -> bool:
    """Whether a place may be told a token: it is Google's, this machine, or named as trusted."""
    if place.is_loopback or (place.is_googles and not place.is_clear):
        return True
    trusted = settings.get("trusted_hosts", ())
    named = {host_name(each) for each in trusted if isinstance(each, str)}
    return not place.is_clear and place.host_name in named


def _file_problem(file: object) -> str | None:
    """Why a file cannot be used, as the end of a sentence."""
    if not isinstance(file, str | os.PathLike):
        return "is no path"
    try:
        kind = _content(file).get("type")
    except (OSError, ValueError) as error:
        return f"cannot be read ({error.strerror if isinstance(error, OSError) else 'no JSON'})"
    if kind not in _FILE_TYPES:
        return (
            f"has credentials of the type {kind!r}; this setting takes {list(_FILE_TYPES)!r}, "
            f"and {_FILE_VARIABLE} others too"
        )
    return None


def _content(file: str | os.PathLike[str]) -> dict[str, Any]:
    found = json.loads(Path(file).read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _may_have_defaults() -> bool:
    """Whether application default credentials can be had, as far as that is known here."""
    if os.environ.get(_FILE_VARIABLE) or _gcloud_file().is_file():
        return True
    if os.environ.get("NO_GCE_CHECK") == "true":
        return False
    if any(map(os.environ.get, _MACHINE_VARIABLES)):
        return True
    try:
        return _PRODUCT.read_text(encoding="utf-8").startswith("Google")
    except (OSError, ValueError):
        return False


def _gcloud_file() -> Path:
    """Where `gcloud` keeps application default credentials."""
    if folder := os.environ.get("CLOUDSDK_CONFIG"):
        return Path(folder) / "application_default_credentials.json"
    base = os.environ.get("APPDATA") if os.name == "nt" else None
    home = Path(base) if base else Path.home() / ".config"
    return home / "gcloud" / "application_default_credentials.json"


class TokenSource:
    """Tokens for one place; may be used from any thread.

    Clients see them as `credentials` that last, so that none of them asks for a token by itself.
    Towards this machine, where a fake or a proxy of one's own listens, no credentials need to be
    there: then a word stands in for the token.
    """

    def __init__(self, place: GooglePlace, settings: Mapping[str, Any]) -> None:
        file = settings.get("credentials_file")
        self._place = place
        self._file = None if file is None else str(file)
        self._is_allowed = may_have_tokens(place, settings)
        self._lock = threading.Lock()
        self._source: Credentials | None = None
        self._shown: GivenToken | None = None

    @property
    def credentials(self) -> GivenToken:
        """What clients are made with; the newest token, once `refresh` has been called."""
        if self._shown is None:
            raise AgentAuthError("Google's credentials have not been loaded")
        return self._shown

    @property
    def is_fresh(self) -> bool:
        """Whether there is a token that is valid for now."""
        source = self._source
        return source is not None and bool(source.valid)

    def refresh(self) -> None:
        """See to it that there is a valid token; waits for the network.

        Raises:
            AgentAuthError: There are no credentials, or they were not accepted; or the place
                may have none.
            AgentNotStartedError: Whoever gives out tokens could not be reached.
        """
        from google.auth import exceptions  # noqa: PLC0415  heavy

        if not self._is_allowed:
            raise AgentAuthError(f"{self._place.host!r} may not get Google's credentials")
        with self._lock:
            try:
                source = self._source or self._load()
                if not source.valid:
                    source.refresh(_request())  # type: ignore[no-untyped-call]
            except exceptions.GoogleAuthError as error:
                self._source = None  # the next call reads it anew: somebody may have mended it
                raise token_error(error) from error
            except (OSError, ValueError) as error:
                self._source = None
                raise AgentAuthError(f"Google's credentials cannot be used: {error}") from error
            self._source = source
            self._show(source)

    def distrust(self) -> None:
        """Forget a token that was not accepted; the next call reads the credentials anew."""
        self._source = None

    def headers(self) -> list[tuple[str, str]]:
        """Return what says to Google who calls, as headers; there must be a valid token."""
        found: dict[str, str] = {}
        self.credentials.apply(found)  # type: ignore[no-untyped-call]
        return [(name.lower(), value) for name, value in found.items()]

    def _show(self, source: Credentials) -> None:
        from google.oauth2.credentials import Credentials as GivenToken  # noqa: PLC0415  heavy

        if self._shown is None:
            payer = getattr(source, "quota_project_id", None)
            self._shown = GivenToken(token=source.token, quota_project_id=payer)  # type: ignore[no-untyped-call]
        self._shown.token = source.token

    def _load(self) -> Credentials:
        from google.oauth2.credentials import Credentials as GivenToken  # noqa: PLC0415  heavy

        if self._file is not None:
            return _from_file(self._file)
        if self._place.is_loopback and not _may_have_defaults():
            return GivenToken(token=_NO_TOKEN)  # type: ignore[no-untyped-call]
        import google.auth  # noqa: PLC0415  heavy

        found: Credentials = google.auth.default(scopes=SCOPES)[0]
        return found


def _from_file(file: str) -> Credentials:
    """Read credentials of the types whose files cannot make this process ask strangers."""
    from google.oauth2 import credentials, service_account  # noqa: PLC0415  heavy

    content = _content(file)
    reader = (
        service_account.Credentials.from_service_account_info
        if content.get("type") == "service_account"
        else credentials.Credentials.from_authorized_user_info
    )
    found: Credentials = reader(content, scopes=SCOPES)
    return found


def _request() -> Any:  # noqa: ANN401  Google's has no types
    """Make what asks for tokens; Google's own waits for two minutes."""
    from functools import partial  # noqa: PLC0415

    from google.auth.transport.requests import Request  # noqa: PLC0415  heavy

    return partial(Request(), timeout=_LONGEST_TOKEN_WAIT)
