"""A table of one's own that is not motion: what the air of a room tells about the subjects in it."""

import tempfile
from pathlib import Path

import numpy as np

import stillmotion as sm  # before keras: it chooses the backend
from stillmotion.signals import propose_mapping
from stillmotion.training import Recipe

#: ppm of CO₂ that a minute adds in each state, and where it ends.
STATES = {"empty": (0.05, 420.0), "meeting": (0.08, 1400.0), "airing": (0.3, 430.0)}


def written(path: Path, rooms: int = 8, hours: int = 24) -> None:
    """A made-up day of each room: a value about every minute, a clock that wavers, one label misspelt."""
    random = np.random.default_rng(0)
    rows = ["room,time,state,co2,temperature,humidity"]
    for room in range(1, rooms + 1):
        co2, minute = 500.0, 0.0
        for _ in range(hours * 2):
            state = random.choice(list(STATES))
            speed, goal = STATES[state]
            for _ in range(30):
                name = "meetng" if state == "meeting" and random.random() < 0.01 else state
                minute += 1 + random.uniform(-0.02, 0.02)
                co2 += speed * (goal * (1 + 0.05 * np.sin(room)) - co2) + random.normal(0, 6)
                warm = 20 + 0.0012 * (co2 - 420) + random.normal(0, 0.05)
                rows.append(
                    f"room {room},{60 * minute:.1f},{name},{co2:.0f},{warm:.2f},{40 + random.normal(0, 0.5):.1f}"
                )
    path.write_text("\n".join(rows) + "\n")


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "air.csv"
    written(path)

    # What a look at it proposes is completed by what only its owner knows. A room is what is split by here.
    proposal = propose_mapping(path, {"subject": "room", "unit_of_time": "s", "window": 1200.0})
    mapping = dict(proposal.values) | {"rename": {"meetng": "meeting"}}
    air = sm.load(path, mapping=mapping)
    print(f"{len(air.subjects)} rooms, {', '.join(air.spec.channel_names)}: {', '.join(air.spec.classes)}")
    for finding in sm.inspect(air).findings:
        print(f"  {finding.severity}: {finding.text}")

    windows = sm.cut(sm.resample(air, air.spec.rate))
    fold = sm.make_splits(windows, "subjects:4").folds[0]
    model = sm.networks.build_network("mlp-small", windows.spec, seed=0)
    labels = windows.labels
    sm.fit(
        model,
        windows.values(fold.train),
        labels[fold.train],
        validation=(windows.values(fold.validation), labels[fold.validation]),
        recipe=Recipe(epochs=15, patience=5),
        progress=False,
    )
    guess = model.predict(windows.values(fold.test), verbose=0).argmax(1)
    print(f"rooms it has never seen ({', '.join(fold.test_subjects)}): {(guess == labels[fold.test]).mean():.0%} right")
