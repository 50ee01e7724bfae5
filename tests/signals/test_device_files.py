"""Files as watches, phones and laboratories write them, made here after their published formats."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals import inspect, load, propose_mapping
from stillmotion.signals.tables import propose_if_unmapped

SECONDS, RATE = 4, 50
#: Lines of a GENEActiv header, whatever they hold.
HEADER_LINES = 59
START = 1_772_359_200  # 2026-03-01T10:00:00Z


def motion(count: int = SECONDS * RATE, seed: int = 0) -> np.ndarray:
    """Standing about, in g, on a grid that all formats hold exactly."""
    random = np.random.default_rng(seed)
    values = random.normal(0, 0.05, (count, 3)) + [0.0, 0.0, 1.0]
    return np.round(values * 128) / 128


def gt3x(values: np.ndarray) -> bytes:
    """Write ActiGraph's GT3X: info.txt and log.bin, with a record (type 0) each second, 12 bits for y, x and z."""
    ticks = 621_355_968_000_000_000 + START * 10_000_000
    info = (
        "Serial Number: TAS1D00000000\nDevice Type: Link\nFirmware: 1.7.2\nBattery Voltage: 4.18\n"
        f"Sample Rate: {RATE}\nStart Date: {ticks}\nAcceleration Scale: 256.0\nAcceleration Min: -8.0\n"
        "Acceleration Max: 8.0\n"
    )

    def record(kind: int, moment: int, part: bytes) -> bytes:
        content = struct.pack("<BBIH", 0x1E, kind, moment, len(part)) + part
        checksum = 0
        for byte in content:
            checksum ^= byte
        return content + bytes([~checksum & 0xFF])

    # Parameter 10 of address space 1 is the rate.
    log = record(21, START, struct.pack("<HHI", 1, 10, RATE))
    for second in range(len(values) // RATE):
        raw = np.round(values[second * RATE : (second + 1) * RATE] * 256).astype(int)
        bits = "".join(f"{value & 0xFFF:012b}" for x, y, z in raw for value in (y, x, z))
        part = int(bits, 2).to_bytes(len(bits) // 8, "big")
        log += record(0, START + second, part)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("info.txt", info)
        archive.writestr("log.bin", log)
    return buffer.getvalue()


def geneactiv(values: np.ndarray) -> bytes:
    """Write GENEActiv's text: a header, then pages of 300 samples, 12 bits for each axis."""
    header = (
        "Device Identity\nDevice Unique Serial Code:012345\nDevice Type:GENEActiv\nDevice Model:1.1\n"
        "Device Firmware Version:Ver4.08\nCalibration Date:2020-01-01 00:00:00:000\n\n"
        "Device Capabilities\nAccelerometer Range:-8 to 8\nAccelerometer Resolution:0.0039\nAccelerometer Units:g\n\n"
        "Configuration Info\nMeasurement Frequency:50 Hz\nStart Time:2026-03-01 10:00:00:000\n"
        "Time Zone:GMT +00:00\n\nTrial Info\n\nSubject Info\n\n"
        "Calibration Data\nx gain:25600\nx offset:0\ny gain:25600\ny offset:0\nz gain:25600\nz offset:0\n"
        "Volts:300\nLux:1000\n\nMemory Status\n"
    )
    pages = -(-len(values) // 300)
    text = header + f"Number of Pages:{pages}\n"
    text += "\n" * (HEADER_LINES - text.count("\n"))
    raw = np.round(values * 256).astype(int) & 0xFFF
    for page in range(pages):
        part = raw[page * 300 : (page + 1) * 300]
        text += (
            f"Recorded Data\nDevice Unique Serial Code:012345\nSequence Number:{page}\n"
            f"Page Time:2026-03-01 10:00:{6 * page:02d}:000\nUnassigned:\nTemperature:22.2\nBattery voltage:4.1\n"
            "Device Status:Recording\nMeasurement Frequency:50.0\n"
        )
        text += "".join(f"{x:03X}{y:03X}{z:03X}000" for x, y, z in part) + "\n"
    return text.encode()


def cwa(values: np.ndarray) -> bytes:
    """Write Axivity's CWA: a header of 1,024 bytes, then sectors of 80 samples of three int16."""
    header = bytearray(b"\xff" * 1024)
    header[0:4] = struct.pack("<HH", 0x444D, 1020)
    header[5:7] = struct.pack("<H", 17)
    header[4] = 0x17
    header[36] = 0x49  # 50 Hz, ±8 g
    sectors = b""
    for number in range(len(values) // 80):
        part = np.round(values[number * 80 : (number + 1) * 80] * 256).astype("<i2").tobytes()
        moment = number * 80 / RATE
        second = int(moment)
        stamp = (2026 - 2000) << 26 | 3 << 22 | 1 << 17 | 10 << 12 | 0 << 6 | second
        fraction = round((moment - second) * 65536)
        sector = bytearray(512)
        sector[0:4] = struct.pack("<2sH", b"AX", 508)
        # With the top bit, the next 15 are the fraction of the second; the stamp is that of sample 0.
        sector[4:6] = struct.pack("<H", 0x8000 | fraction >> 1)
        sector[6:10] = struct.pack("<I", 17)
        sector[10:14] = struct.pack("<I", number)
        sector[14:18] = struct.pack("<I", stamp)
        sector[18:24] = struct.pack("<HHBB", 0, 512, 200, 0)
        sector[24] = 0x49
        sector[25] = 0x32
        # Clocks add the fraction back: it was moved to the whole second by this many samples.
        sector[26:28] = struct.pack("<h", -int(fraction / 65536 * RATE) if fraction else 0)
        sector[28:30] = struct.pack("<H", 80)
        sector[30 : 30 + len(part)] = part
        total = sum(struct.unpack("<255H", bytes(sector[:510]))) & 0xFFFF
        sector[510:512] = struct.pack("<H", -total & 0xFFFF)
        sectors += bytes(sector)
    return bytes(header) + sectors


@pytest.mark.parametrize(
    ("write", "suffix", "count"), [(gt3x, "gt3x", 200), (geneactiv, "bin", 300), (cwa, "cwa", 240)]
)
def test_a_watchs_file_is_read_without_a_mapping(write, suffix, count, tmp_path):
    values = motion(count)
    path = tmp_path / f"ann.{suffix}"
    path.write_bytes(write(values))
    proposal = propose_mapping(path)
    assert proposal.values["sensors"]["acc"]["unit"] == "g"
    data = load(path, mapping=proposal.mapping(), cache=False)
    assert data.spec.rate == pytest.approx(RATE, rel=0.01)
    assert data.spec.channel_names == ("acc.x", "acc.y", "acc.z")
    np.testing.assert_allclose(data.samples, values[: len(data.samples)], atol=1 / 256 + 1e-6)
    assert len(data.samples) == count
    assert data.times[0] == pytest.approx(START, abs=1.0)
    assert inspect(data).usable


@pytest.mark.parametrize("suffix", ["gt3x", "bin", "cwa", "xdf"])
def test_a_damaged_file_is_refused_in_a_sentence(suffix, tmp_path):
    path = tmp_path / f"ann.{suffix}"
    path.write_bytes(b"no such format" * 100)
    with pytest.raises(UserError, match=f"ann.{suffix} (cannot be read|holds no)"):
        propose_mapping(path)


def chunk(tag: int, content: bytes) -> bytes:
    """Write a chunk of XDF: bytes of its length, the length, its tag."""
    return struct.pack("<BIH", 4, len(content) + 2, tag) + content


def xdf() -> bytes:
    """Write XDF with two streams of numbers and one of markers."""

    def stream(number: int, name: str, kind: str, channels: int, rate: float) -> bytes:
        text = (
            f'<?xml version="1.0"?><info><name>{name}</name><type>x</type><channel_count>{channels}</channel_count>'
            f"<nominal_srate>{rate}</nominal_srate><channel_format>{kind}</channel_format></info>"
        )
        return chunk(2, struct.pack("<I", number) + text.encode())

    def samples(number: int, rows: list[tuple[float, bytes]]) -> bytes:
        content = struct.pack("<IBI", number, 4, len(rows))
        for moment, values in rows:
            content += struct.pack("<Bd", 8, moment) + values
        return chunk(3, content)

    def word(text: str) -> bytes:
        return struct.pack("<BB", 1, len(text)) + text.encode()

    streams = {1: ("watch", 50.0, motion(200)), 2: ("belt", 40.0, motion(160, seed=1))}
    content = b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    for number, (name, rate, values) in streams.items():
        content += stream(number, name, "float32", 3, rate)
        rows = [(100 + at / rate, row.astype("<f4").tobytes()) for at, row in enumerate(values)]
        content += samples(number, rows)
    content += stream(3, "marks", "string", 1, 0.0)
    return content + samples(3, [(99.9, word("sit")), (102.0, word("walk"))])


def test_streams_of_xdf_are_devices_and_markers_are_labels(tmp_path):
    path = tmp_path / "ann.xdf"
    path.write_bytes(xdf())
    proposal = propose_mapping(path)
    data = load(path, mapping=proposal.mapping(), cache=False)
    assert data.spec.channel_names == (
        "watch.xyz.x",
        "watch.xyz.y",
        "watch.xyz.z",
        "belt.xyz.x",
        "belt.xyz.y",
        "belt.xyz.z",
    )
    assert data.spec.classes == ("sit", "walk")
    assert data.labels[data.times < 101.99].tolist() == [0] * int((data.times < 101.99).sum())
    assert set(data.labels[data.times > 102.01].tolist()) == {1}
    np.testing.assert_allclose(data.samples[:, :3], motion(200)[: len(data.samples)], atol=1e-6)


def phone(folder: Path, name: str, values: np.ndarray, columns: str = "time,seconds_elapsed,z,y,x") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [columns]
    for row, (x, y, z) in enumerate(values):
        lines.append(f"{START * 10**9 + row * 20_000_000},{row / 50:.2f},{z:.5f},{y:.5f},{x:.5f}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("android", [True, False])
def test_a_folder_of_sensor_logger_is_read_with_its_gravity_and_unit(android, tmp_path):
    g = 9.80665 if android else 1.0
    turning = np.random.default_rng(1).normal(0, 0.3, (200, 3))
    for subject in ("P01", "P02"):
        still = motion(200) * g
        phone(tmp_path / subject, "Accelerometer", still - [0, 0, g])
        phone(tmp_path / subject, "Gyroscope", turning)
        phone(
            tmp_path / subject,
            "TotalAcceleration" if android else "Gravity",
            still if android else still * 0 + [0, 0, g],
        )
    proposal = propose_if_unmapped(tmp_path)
    assert proposal is not None
    data = load(tmp_path, mapping=proposal.mapping(), cache=False)
    assert data.subjects == ("P01", "P02")
    assert data.spec.rate == 50
    units = {channel.group: channel.unit for channel in data.spec.channels}
    unit = "m/s2" if android else "g"
    first = "acc" if android else "gravity"
    assert units == {first: unit, "gyr": "rad/s", "body-acc": unit}
    column = data.spec.channel_names.index(f"{first}.z")
    assert np.median(data.samples[:, column]) == pytest.approx(g, rel=0.02)
    assert inspect(data).usable


def test_names_of_phyphox_and_of_sensorlog_are_understood(tmp_path):
    random = np.random.default_rng(0)
    still = motion(200) * 9.81
    heading = '"Time (s)",' + ",".join(f'"Acceleration {axis} (m/s^2)"' for axis in "xyz")
    heading += ',"Absolute acceleration (m/s^2)"'
    rows = [f"{n / 50},{x},{y},{z},{np.hypot(np.hypot(x, y), z)}" for n, (x, y, z) in enumerate(still)]
    (tmp_path / "phyphox.csv").write_text("\n".join([heading, *rows]))
    sensors = propose_mapping(tmp_path / "phyphox.csv").values["sensors"]
    assert sensors["acc"]["unit"] == "m/s2"
    heading = (
        "loggingTime(txt),loggingSample(N),accelerometerAccelerationX(G),accelerometerAccelerationY(G),"
        "accelerometerAccelerationZ(G),gyroRotationX(rad/s),gyroRotationY(rad/s),gyroRotationZ(rad/s),"
        "motionUserAccelerationX(G),motionUserAccelerationY(G),motionUserAccelerationZ(G)"
    )
    rows = [
        f"2026-03-01 10:00:{n / 50:06.3f} +0100,{n},"
        + ",".join(f"{v:.4f}" for v in (*still[n] / 9.81, *random.normal(size=3), *random.normal(0, 0.1, 3)))
        for n in range(200)
    ]
    path = tmp_path / "sensorlog.csv"
    path.write_text("\n".join([heading, *rows]))
    proposal = propose_mapping(path)
    assert {name: each.get("unit") for name, each in proposal.values["sensors"].items()} == {
        "acc": "g",
        "gyr": "rad/s",
        "body-acc": "g",
    }
    data = load(path, mapping=proposal.mapping(), cache=False)
    assert data.spec.rate == 50
    assert data.times[0] == pytest.approx(START - 3600)
