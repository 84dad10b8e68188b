"""The OpenAPI 3.1 document of the HTTP side; a test holds it against the routes that are served."""

from typing import Any, Final

_PROBLEM: Final = {
    "description": "Refused; a problem document (RFC 9457) says why.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_BEARER: Final[list[dict[str, list[str]]]] = [{"inbox": []}, {"inboxQuery": []}]
_MESSAGE_ID: Final = {
    "name": "message",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}


def openapi_document() -> dict[str, Any]:
    """Every path that a deployment with all settings serves."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Propman notifications",
            "version": "1",
            "description": "Reports of providers, one-click unsubscription, and a tenant's inbox.",
        },
        "paths": {**_hooks(), **_links(), **_inbox()},
        "components": {"schemas": _schemas(), "securitySchemes": _security()},
    }


def _hooks() -> dict[str, Any]:
    form = {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}
    signed: list[dict[str, list[str]]] = [{"twilio": []}]
    proof = [
        {"name": "delivery", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
        {"name": "proof", "in": "path", "required": True, "schema": {"type": "string"}},
    ]
    return {
        "/hooks/twilio/status/{delivery}/{proof}": {
            "post": {
                "operationId": "reportText",
                "summary": "What became of a text message; each status once, forward only.",
                "security": signed,
                "parameters": proof,
                "requestBody": {"required": True, "content": form},
                "responses": {
                    "204": {"description": "Taken, or known already."},
                    "403": _PROBLEM,
                    "404": {"description": "No such delivery."},
                    "503": {"description": "Say it again later."},
                },
            }
        },
        "/hooks/twilio/inbound": {
            "post": {
                "operationId": "receiveText",
                "summary": "A text message from a tenant: STOP, START, HELP or something to read.",
                "security": signed,
                "requestBody": {"required": True, "content": form},
                "responses": {
                    "200": {"description": "TwiML.", "content": {"text/xml": {"schema": {"type": "string"}}}},
                    "403": _PROBLEM,
                },
            }
        },
    }


def _links() -> dict[str, Any]:
    page = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    token = {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/u/{token}": {
            "parameters": [token],
            "get": {
                "operationId": "showUnsubscribe",
                "summary": "What would end; changes nothing, because scanners of mail follow links.",
                "responses": {"200": page, "404": page},
            },
            "post": {
                "operationId": "unsubscribe",
                "summary": "End this kind of mail to this address (RFC 8058); repeating it changes nothing.",
                "responses": {"200": page, "404": page},
            },
        }
    }


def _inbox() -> dict[str, Any]:
    def call(identity: str, summary: str, ok: dict[str, Any], **more: Any) -> dict[str, Any]:
        answers = {**ok, "401": _PROBLEM}
        return {
            "operationId": identity,
            "summary": summary,
            "security": _BEARER,
            "responses": answers,
            **more,
        }

    paging = [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
        {"name": "before", "in": "query", "schema": {"type": "string", "format": "uuid"}},
    ]
    listed = _json("#/components/schemas/Inbox")
    unread = _json("#/components/schemas/Unread")
    stream = {
        "200": {"description": "A stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    }
    put_away = {"204": {"description": "Put away."}, "404": _PROBLEM}
    return {
        "/inbox": {"get": call("listMessages", "The newest messages.", listed, parameters=paging)},
        "/inbox/unread": {"get": call("countUnread", "How many were not read.", unread)},
        "/inbox/read": {"post": call("readAll", "Mark all messages as read.", unread)},
        "/inbox/events": {"get": call("streamMessages", "New messages as server-sent events.", stream)},
        "/inbox/{message}/read": {
            "parameters": [_MESSAGE_ID],
            "post": call("readMessage", "Mark a message as read.", unread | {"404": _PROBLEM}),
        },
        "/inbox/{message}/archive": {
            "parameters": [_MESSAGE_ID],
            "post": call("archiveMessage", "Put a message away.", put_away),
        },
    }


def _json(reference: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": reference}}}
    return {"200": {"description": "Done.", "content": content}}


def _schemas() -> dict[str, Any]:
    text, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
    message = {
        "id": {"type": "string", "format": "uuid"},
        "category": text,
        "urgent": {"type": "boolean"},
        "at": moment,
        "read_at": {"type": ["string", "null"], "format": "date-time"},
        "subject": text,
        "text": text,
    }
    count = {"type": "integer", "minimum": 0}
    return {
        "Message": {"type": "object", "required": list(message), "properties": message},
        "Inbox": {
            "type": "object",
            "required": ["messages", "unread"],
            "properties": {
                "messages": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}},
                "unread": count,
            },
        },
        "Unread": {"type": "object", "required": ["unread"], "properties": {"unread": count}},
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {"type": text, "title": text, "status": {"type": "integer"}},
        },
    }


def _security() -> dict[str, Any]:
    return {
        "inbox": {"type": "http", "scheme": "bearer", "description": "`propman notifications inbox-link`."},
        "inboxQuery": {
            "type": "apiKey",
            "in": "query",
            "name": "token",
            "description": "The same, for browsers' EventSource, which sends no headers.",
        },
        "twilio": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Twilio-Signature",
            "description": "HMAC-SHA1 of the public address and the sorted fields.",
        },
    }
