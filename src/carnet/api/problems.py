"""Errors over HTTP as problem details, from one table of error classes to statuses.

Source: RFC 9457, section 3.
"""

from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse

from carnet.core.errors import (
    CarnetError,
    ChainError,
    ConflictError,
    InputError,
    LedgerError,
    NotFoundError,
    StoreUnavailableError,
    VerificationError,
)
from carnet.core.text import Language

PROBLEM_MEDIA_TYPE = "application/problem+json"

_STATUSES: tuple[tuple[type[CarnetError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (VerificationError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ConflictError, HTTPStatus.CONFLICT),
    (StoreUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ChainError, HTTPStatus.SERVICE_UNAVAILABLE),
    (CarnetError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


def status_of(error: CarnetError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def language_of(request: Request) -> Language:
    """Return the language a request asks for: ``?lang=``, else Accept-Language, else English."""
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "zh" if wanted.strip().lower().startswith("zh") else "en"


def problem(status: HTTPStatus, title: str, detail: str = "", code: str = "") -> JSONResponse:
    """Return a problem details response."""
    body = {"type": "about:blank", "title": title, "status": int(status)}
    extra = {"detail": detail, "code": code}
    return JSONResponse(
        body | {key: value for key, value in extra.items() if value},
        status_code=int(status),
        media_type=PROBLEM_MEDIA_TYPE,
    )


async def carnet_error_response(request: Request, error: Exception) -> JSONResponse:
    """Return the problem details of an error that is expected in operation."""
    assert isinstance(error, CarnetError), "registered for CarnetError alone"
    language = language_of(request)
    return problem(
        status_of(error),
        error.message.in_language(language),
        error.hint.in_language(language),
        error.code,
    )
