"""What refuses a request, wherever that is found out: an exception that becomes Dify's error envelope."""

from __future__ import annotations


class ApiError(Exception):
    """A request that is answered with the error envelope `{code, message, status}`.

    Args:
        status: of the HTTP response, 400 or more.
        code: Dify's word for it, such as `invalid_param`.
        message: for people.
        headers: that the response has besides.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def invalid(message: str) -> ApiError:
    """400 invalid_param."""
    return ApiError(400, "invalid_param", message)


def not_found(message: str) -> ApiError:
    """404 not_found."""
    return ApiError(404, "not_found", message)


def internal_error(message: str = "The server encountered an internal error.") -> ApiError:
    """500 internal_server_error."""
    return ApiError(500, "internal_server_error", message)
