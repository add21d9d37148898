"""The rows that decide what is true; behaviour lives here and on the QuerySets."""

from uploads.models.connection import Connection
from uploads.models.event import Event, EventKind
from uploads.models.glimpse import Glimpse
from uploads.models.hold import Hold
from uploads.models.item import Item
from uploads.models.job import Job
from uploads.models.lane_limit import LaneLimit
from uploads.models.message import Message, MessageState
from uploads.models.person import Preferences, SignInTry
from uploads.models.preset import SavedPreset
from uploads.models.result import Result
from uploads.models.stage import Candidate, Input, Stage
from uploads.models.step import Step
from uploads.models.token import SetupLink, Token
from uploads.models.upload import Upload
from uploads.models.worker import Worker

__all__ = [
    "Candidate",
    "Connection",
    "Event",
    "EventKind",
    "Glimpse",
    "Hold",
    "Input",
    "Item",
    "Job",
    "LaneLimit",
    "Message",
    "MessageState",
    "Preferences",
    "Result",
    "SavedPreset",
    "SetupLink",
    "SignInTry",
    "Stage",
    "Step",
    "Token",
    "Upload",
    "Worker",
]
