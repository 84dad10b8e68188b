"""The OpenAPI 3.1 document of the signer's page; a test holds it against the routes that are served."""

from typing import Any

from services.leasing.links import PATH


def openapi_document() -> dict[str, Any]:
    """Every path that a deployment with all settings serves."""
    key = {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "The link's id and its token, which is a secret: `<32 hex digits>.<43 letters>`.",
        "schema": {"type": "string"},
    }
    form = {"application/x-www-form-urlencoded": {"schema": _form()}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Propman leasing",
            "version": "1",
            "description": "The page behind a signing link; all else is done on the command line.",
        },
        "paths": {
            f"/{PATH}/{{key}}": {
                "parameters": [key],
                "get": {
                    "operationId": "showLease",
                    "summary": "The lease and a form, or what became of the link; changes nothing, as HEAD.",
                    "responses": {"200": _answer("A page in the signer's language."), **_refused()},
                },
                "post": {
                    "operationId": "signLease",
                    "summary": "Sign, or ask the office for another link. Repeating it changes nothing.",
                    "requestBody": {"required": True, "content": form},
                    "responses": {
                        "303": {"description": "Look at the page: it says what came of it."},
                        "403": _answer("The form came from another site."),
                        "413": _answer("That is no form of ours."),
                        "422": _answer("Not signed: the page says what is missing."),
                        **_refused(),
                    },
                },
            }
        },
    }


def _answer(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"text/html": {"schema": {"type": "string"}}}}


def _refused() -> dict[str, Any]:
    return {
        "404": _answer("The address is not one of ours."),
        "429": _answer("Too many wrong addresses from there; `Retry-After` says when to try again."),
        "500": _answer("A defect. Nothing was signed."),
        "503": _answer("Not now. Nothing was signed."),
    }


def _form() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["do"],
        "properties": {
            "do": {"enum": ["sign", "ask"]},
            "name": {"type": "string", "maxLength": 200, "description": "As the signer types it."},
            "consent": {"const": "yes"},
            "terms": {"type": "string", "description": "SHA-256 of the terms that were read."},
        },
    }
