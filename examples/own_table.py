"""Read your own table, here not of motion: classify the state of a room from measurements of its air."""

import tempfile
from pathlib import Path

import numpy as np

import stillmotion as sm  # before keras: it chooses the backend
from stillmotion.signals import propose_mapping
from stillmotion.training import Recipe

#: Per state: the share of the way to its final CO₂ level that a minute covers, and that level in ppm.
STATES = {"empty": (0.05, 420.0), "meeting": (0.08, 1400.0), "airing": (0.3, 430.0)}


def write_table(path: Path, rooms: int = 8, hours: int = 24) -> None:
    """Simulate a day of each room: about one row per minute, an uneven clock, one misspelt label."""
    random = np.random.default_rng(0)
    rows = ["room,time,state,co2,temperature,humidity"]
    for room in range(1, rooms + 1):
        co2, minute = 500.0, 0.0
        for _ in range(hours * 2):
            state = random.choice(list(STATES))
            rate, level = STATES[state]
            for _ in range(30):
                name = "meetng" if state == "meeting" and random.random() < 0.01 else state
                minute += 1 + random.uniform(-0.02, 0.02)
                co2 += rate * (level * (1 + 0.05 * np.sin(room)) - co2) + random.normal(0, 6)
                temperature = 20 + 0.0012 * (co2 - 420) + random.normal(0, 0.05)
                rows.append(
                    f"room {room},{60 * minute:.1f},{name},{co2:.0f},{temperature:.2f},{40 + random.normal(0, 0.5):.1f}"
                )
    path.write_text("\n".join(rows) + "\n")


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "air.csv"
    write_table(path)

    # The proposal is completed by what the file does not tell. Splits are by room here, so rooms are the subjects.
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
    predicted = model.predict(windows.values(fold.test), verbose=0).argmax(1)
    accuracy = (predicted == labels[fold.test]).mean()
    print(f"rooms never seen in training ({', '.join(fold.test_subjects)}): accuracy {accuracy:.0%}")
