"""The columns of csv: the attributes of each record by their names on the wire, in a fixed order.

Behind them comes `extra`, which holds as JSON whatever attributes the service has added since.
"""

from typing import Final

SESSION: Final = (
    "sessionId",
    "status",
    "sessionType",
    "accountKey",
    "accountName",
    "expertName",
    "expertEmail",
    "expertUserKey",
    "partnerObject",
    "partnerObjectUrl",
    "startedAt",
    "customerJoinedAt",
    "endedAt",
    "unattendedMachineName",
    "unattendedMachineUuid",
    "customerName",
    "customerEmail",
    "customerJoinUrl",
    "sessionStartToken",
    "notes",
    "sessionRecordingUrl",
    "collaborators",
)
CHANGE: Final = ("previousStatus", *SESSION)
STARTED: Final = ("launchUrl", "sessionToken")
COMPANY: Final = ("companyId", "companyName")
MACHINE: Final = ("machineUuid", "machineName", "dnsName", "ipAddresses", "machineStatus", "companyId")
AVAILABLE: Final = ("recordingId", "state")
FILES: Final = ("recordingId", "recordingUrl", "eventsUrl", "thumbnailUrl", "recordingStartTime", "recordingSize")
LINK: Final = ("systemName", "systemDomain", "userEmail", "userToken", "callbackURL", "supportedCallbacks")
TICKET: Final = ("id", "title", "body", "url", "requesterName", "status", "createdAt", "sessionIds")
CHECK: Final = ("check", "result", "detail", "advice")
ARCHIVED: Final = ("kind", "recordingId", "part", "bytes", "total", "path", "error")
TROUBLE: Final = ("state", "recordingId", "part", "path", "reason", "attempts")
EXTRA: Final = "extra"
