"""Why recordings are skipped or fail, as it is told and noted."""

from typing import Final

NOT_READY: Final = "it is not ready for download: ask for its transcoding"
NOT_YET: Final = "it is still not ready for download: a later run will find it"
REFUSED: Final = "the service refuses its ID: it is not one of the account's, or not any more"
UNREADABLE: Final = "what the service tells of it makes no sense"
GONE: Final = "the service tells no address of it: it is not ready for download, or not any more"
UNPROVEN: Final = "it was there already, and only its size and its kind could be held against the service"
HERE: Final = "it is already in the archive"
HELD: Final = "another archiver is at it"
TOO_MANY: Final = "more recordings begin in one second than the service lists: not all of them can be found"
