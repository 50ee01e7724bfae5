"""Published results of Agac & Incel, to compare with the results of a study.

Their windows were split at random, so the same subjects are in train and test: their scores are not comparable with
scores of subject-wise splits.
"""

from __future__ import annotations

from dataclasses import dataclass

from .table import Column, Table, make_count, make_text

PROTOCOL = (
    "windows of 1 s without overlap, split at random (15 % test, 15 % of the rest validation): not by subject, leaky; "
    "macro-F1 and accuracy in percent, one seed; FLOPs of convolutions only"
)


@dataclass(frozen=True)
class Published:
    """One row of the published tables.

    Args:
        variant: its name here.
        f1, accuracy: percent.
        params, kflops: of its network; KFLOPs of the convolutions.
    """

    variant: str
    f1: float
    accuracy: float
    params: int
    kflops: float


@dataclass(frozen=True)
class PublishedSet:
    """One data set of the published tables.

    Args:
        title: as in the paper.
        names: of the data set in this package.
        baselines: LM, MM and OM.
        changes: of F1 and accuracy against LM in points, then of parameters and convolution FLOPs in percent (None
            where the paper gives none).
    """

    title: str
    names: tuple[str, ...]
    baselines: tuple[Published, Published, Published]
    changes: dict[str, tuple[float, float, float | None, float | None]]

    @property
    def lm(self) -> Published:
        """The plain student."""
        return self.baselines[0]

    @property
    def rows(self) -> tuple[Published, ...]:
        """Baselines and variants as scores instead of changes."""
        base = self.lm
        return (
            *self.baselines,
            *(
                Published(
                    name,
                    round(base.f1 + f1, 2),
                    round(base.accuracy + right, 2),
                    round(base.params * (1 + (params or 0) / 100)),
                    round(base.kflops * (1 + (flops or 0) / 100), 2),
                )
                for name, (f1, right, params, flops) in self.changes.items()
            ),
        )


PUBLISHED = (
    PublishedSet(
        "Opportunity",
        ("opportunity",),
        (
            Published("lm", 68.17, 74.49, 9_037, 450.00),
            Published("mm", 72.16, 78.16, 23_657, 1_677.60),
            Published("om", 80.51, 84.75, 816_337, 100_512.00),
        ),
        {
            "lm-att": (5.02, 4.79, 1.55, 38.19),
            "rb-kd": (4.45, 4.04, None, None),
            "rb-kd-att": (6.27, 5.16, 0.22, 1.78),
            "rab-kd": (6.31, 5.53, 0.66, 20.89),
        },
    ),
    PublishedSet(
        "WISDM v1.1",
        ("wisdm",),
        (
            Published("lm", 82.02, 86.78, 1_770, 13.92),
            Published("mm", 86.65, 89.66, 6_574, 50.88),
            Published("om", 91.69, 92.98, 393_030, 2_987.52),
        ),
        {
            "lm-att": (3.89, 1.80, 3.39, 20.33),
            "rb-kd": (1.42, 0.58, None, None),
            "rb-kd-att": (4.58, 2.53, 6.78, 37.14),
            "rab-kd": (4.97, 3.03, 3.39, 40.30),
        },
    ),
    PublishedSet(
        "Sensors",
        ("shoaib", "sensors"),
        (
            Published("lm", 96.90, 96.83, 7_987, 932.40),
            Published("mm", 98.20, 98.02, 26_687, 3_506.40),
            Published("om", 99.61, 99.60, 1_414_087, 211_910.40),
        ),
        {
            "lm-att": (0.47, 0.39, 0.00, 8.92),
            "rb-kd": (-0.43, -0.40, None, None),
            "rb-kd-att": (1.63, 1.58, 1.50, 38.89),
            "rab-kd": (2.00, 1.98, 0.25, 1.78),
        },
    ),
)


def published_for(data: str) -> tuple[PublishedSet, ...]:
    """Return the published tables of a data set, or all tables if Agac & Incel did not use it."""
    tables = tuple(each for each in PUBLISHED if data in each.names)
    return tables or PUBLISHED


def published_table(published: PublishedSet) -> Table[Published]:
    """Return a published table, with the two decimals of the paper."""
    return Table(
        f"{published.title}, as published (Agac & Incel)",
        [
            make_text("name", lambda row: row.variant, "variant"),
            Column("macro_f1", lambda row: row.f1, "macro-F1, %", "{:.2f}".format),
            Column("accuracy", lambda row: row.accuracy, "accuracy, %", "{:.2f}".format),
            make_count("parameters", lambda row: row.params),
            Column("kflops", lambda row: row.kflops, "kFLOPs of convolutions", "{:,.2f}".format),
        ],
        published.rows,
    )
