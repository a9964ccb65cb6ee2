"""Where a card says that trials of an earlier study lie: a CSV file, or a study in a database."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tunewright.card_parts import Part, build, items, shown
from tunewright.errors import CardError
from tunewright.redact import hide_password


class EarlierCard(Part):
    """A source of earlier trials. Exactly one of `csv` and `storage`; it is read once, when the study first opens."""

    csv: str | None = None
    """A CSV file: columns named as parameters and metrics, optionally `status`; relative to where Tunewright starts."""
    storage: str | None = None
    """The address of a database with a study of Optuna's or of ours, for example `sqlite:///old.db`; no password."""
    study: str | None = None
    """The study's name; not needed where `storage` holds only one."""
    metric: str | None = None
    """What the source calls the card's first metric, where that differs."""
    assume: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Values with which the earlier trials ran, of parameters that the source does not have."""

    def model_post_init(self, context: Any) -> None:
        if (self.csv is None) == (self.storage is None):
            both = "both csv and storage" if self.csv is not None else "neither csv nor storage"
            raise CardError(f"a source of earlier trials has {both}", "write {csv: past.csv} or {storage: URL}")
        if self.study is not None and self.storage is None:
            raise CardError(f"study is {shown(self.study)} beside a CSV file", "a study needs `storage`").at("study")
        if self.storage is not None and hide_password(self.storage) != self.storage:
            raise CardError(
                "storage holds a password, and the card is kept in the record",
                "leave it out; PostgreSQL reads PGPASSWORD and ~/.pgpass",
            ).at("storage")

    @property
    def name(self) -> str:
        """Under which a study keeps and reports these trials."""
        return self.csv or (f"{self.study}@{self.storage}" if self.study else str(self.storage))

    @classmethod
    def of(cls, text: str) -> "EarlierCard":
        """The source in a text such as `past.csv`, `sqlite:///old.db` or `resnet@sqlite:///old.db`."""
        study, at, address = text.partition("@")
        if at and "://" not in study and "://" in address:
            return cls(study=study, storage=address)
        return cls(storage=text) if "://" in text else cls(csv=text)


def read_earlier(earlier: Any) -> tuple[EarlierCard, ...]:
    """The sources, each a mapping or a short text; raises `CardError` for anything else."""
    made = []
    for i, item in enumerate(items(earlier, "earlier")):
        if isinstance(item, str):
            made.append(EarlierCard.of(item))
        elif isinstance(item, EarlierCard | Mapping):
            made.append(build(EarlierCard, item, "earlier", i))
        else:
            raise CardError(f"{shown(item)} is no source of earlier trials", "write {csv: past.csv}").at("earlier", i)
    return tuple(made)
