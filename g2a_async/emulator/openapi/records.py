"""What answers are made of, tolerant only where the service is known to vary."""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

IDENTIFIER_LIMIT: Final = (1 << 64) - 1
"""The largest number that identifies something."""

TEXT: Final[Schema] = {"type": "string"}
TIME: Final[Schema] = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:?00)$",
}
URL: Final[Schema] = {"type": "string", "format": "uri", "pattern": "^https?://"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {
    "type": ["integer", "string"],
    "minimum": 0,
    "maximum": IDENTIFIER_LIMIT,
    "pattern": r"^\d{1,20}$",
}
"""An identifier: a number, or a string of its digits."""
ANY_ID: Final[Schema] = {"type": ["integer", "string"], "minimum": 0, "minLength": 1}
"""An identifier that need not be a number."""
FLAG: Final[Schema] = {"enum": [True, False, "true", "false"]}


def ref(name: str) -> Schema:
    """A record by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(item: Schema) -> Schema:
    """A list of *item*."""
    return {"type": "array", "items": item}


def record(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object with these attributes, and whatever the vendor adds."""
    return {"type": "object", "properties": {**required, **optional}, "required": sorted(required)}


_SESSION: Final[Schema] = {
    "sessionType": {"type": "string", "pattern": "^(?i:screen_sharing)$"},
    "status": {"type": "string", "examples": ["waiting", "active", "complete", "abandoned", "notStarted"]},
    "accountKey": NUMBER,
    "expertName": TEXT,
    "expertEmail": TEXT,
    "expertUserKey": TEXT,
    "customerJoinUrl": URL,
}
_WHERE_IT_APPLIES: Final[Schema] = {
    "partnerObject": ANY_ID,
    "partnerObjectUrl": TEXT,
    "startedAt": TIME,
    "customerJoinedAt": TIME,
    "endedAt": TIME,
    "unattendedMachineName": TEXT,
    "unattendedMachineUuid": TEXT,
    "accountName": TEXT,
    "customerName": TEXT,
    "customerEmail": TEXT,
    "notes": TEXT,
    "sessionRecordingUrl": URL,
    "collaborators": listed({"type": ["string", "object"]}),
}

RECORDS: Final[Mapping[str, Schema]] = {
    "Started": record({"startScreenSharing": record({"launchUrl": URL}, sessionToken=ANY_ID)}, sessionToken=ANY_ID),
    "Session": record({"sessionId": TEXT, **_SESSION}, **_WHERE_IT_APPLIES),
    "ListedSession": record({"sessionId": ANY_ID, "sessionStartToken": ANY_ID, **_SESSION}, **_WHERE_IT_APPLIES),
    "Event": record({"timeStamp": TIME, "content": TEXT, "participantName": TEXT}),
    "Company": record({"companyId": NUMBER, "companyName": TEXT}),
    "Machine": record(
        {
            "machineUuid": TEXT,
            "machineName": TEXT,
            "dnsName": TEXT,
            "ipAddresses": TEXT,
            "machineStatus": {"type": "string", "enum": ["ONLINE", "OFFLINE", "BLOCKED", "REMOVED"]},
            "companyId": TEXT,
        }
    ),
    "Available": record(dict.fromkeys(("readyForTranscode", "readyForDownload"), listed(NUMBER) | {"maxItems": 500})),
    "RecordingFile": record(
        {"recordingId": NUMBER, "recordingUrl": URL},
        recordingStartTime=TIME,
        eventsUrl=URL,
        thumbnailUrl=URL,
        recordingSize={"type": "string", "pattern": r"^\d+$"},
    ),
    "SystemLink": record(
        {"systemName": TEXT, "systemDomain": TEXT, "userEmail": TEXT, "userToken": TEXT, "callbackURL": TEXT},
        supportedCallbacks=record({}, createObject=FLAG, searchObjects=FLAG, associateObject=FLAG),
    ),
    "Ticket": record(
        {"id": ANY_ID},
        title=TEXT,
        body=TEXT,
        url=URL,
        requesterName=TEXT,
        status=TEXT,
        createdAt=TIME,
        sessionIds=listed(TEXT),
        comments=listed(TEXT),
        tags=listed(TEXT),
    ),
    "Problem": record({"errorCode": TEXT, "description": TEXT, "incident": TEXT}),
}
"""By name."""
