"""The names of our keys. One shard must hold them all: on a cluster the prefix is a hash tag."""

from dataclasses import dataclass

from vitalrelay.domain.packet import SubjectId


@dataclass(frozen=True, slots=True)
class Keys:
    prefix: str = "patient-risk"

    @property
    def documents(self) -> str:
        """What every document's key begins with; a subject id completes it."""
        return f"{self.prefix}:monitoring-snapshots:"

    def document(self, subject: SubjectId) -> str:
        return self.documents + subject

    @property
    def latest(self) -> str:
        return self.documents + "latest"

    @property
    def events(self) -> str:
        return self.documents + "events"

    @property
    def sentinel(self) -> str:
        return f"{self.prefix}:relay:sentinel"
