"""One rotation gives both sensors: against SciPy's rotations, and in closed form."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stillmotion.signals.simulated import rotation
from stillmotion.signals.simulated.anatomy import draw_subject, remount
from stillmotion.signals.simulated.card import CLASSES
from stillmotion.signals.simulated.gait import LAWS, draw_gait, make_strides
from stillmotion.signals.simulated.motion import DT, Motion
from stillmotion.signals.simulated.paths import draw_drift, pass_poses
from stillmotion.signals.simulated.postures import ELBOW, HIP, JOINTS, LEAN, SHOULDER
from stillmotion.signals.simulated.sensors import read, track_segments
from tests.publishers import measures


def scipy_of(q):
    return Rotation.from_quat(np.moveaxis(q, 0, -1)[..., [1, 2, 3, 0]])


@pytest.fixture
def tumbling():
    """A path of smooth random turns about all axes (4, N)."""
    random = np.random.default_rng(3)
    q = np.array([[1.0], [0.0], [0.0], [0.0]])
    for axis, angle in enumerate(draw_drift(random, 2000, DT, np.ones(3), 0.7)):
        q = rotation.turned(q, axis, angle)
    return q


def test_turns_products_and_rotated_vectors_agree_with_scipy(tumbling):
    random = np.random.default_rng(1)
    angles = random.uniform(-3, 3, (3, 50))
    q = np.array([[1.0], [0.0], [0.0], [0.0]])
    expected = Rotation.identity(50)
    for axis, name in ((2, "z"), (0, "x"), (1, "y")):
        q = rotation.turned(q, axis, angles[axis])
        expected = expected * Rotation.from_euler(name, angles[axis][:, None])
    assert (scipy_of(q) * expected.inv()).magnitude().max() < 1e-12
    vectors = random.standard_normal((3, 50))
    assert pytest.approx(expected.apply(vectors.T), abs=1e-12) == rotation.rotate(q, vectors).T
    assert pytest.approx(expected.apply([0, 0, 1]), abs=1e-12) == rotation.long_axis(q).T
    both = scipy_of(rotation.product(q, tumbling[:, :50]))
    assert (both * (expected * scipy_of(tumbling[:, :50])).inv()).magnitude().max() < 1e-12


def test_angular_velocity_is_that_of_the_rotation(tumbling):
    omega = rotation.angular_velocity(tumbling, DT)
    path = scipy_of(tumbling)
    expected = (path[:-2].inv() * path[2:]).as_rotvec() / (2 * DT)
    assert pytest.approx(expected, abs=1e-9) == omega[:, 1:-1].T
    steady = rotation.turned(np.array([[1.0], [0.0], [0.0], [0.0]]), 1, 2.5 * np.arange(400) * DT)
    assert pytest.approx(np.tile([0, 2.5, 0], (400, 1)), abs=1e-9) == rotation.angular_velocity(steady, DT).T


def test_at_rest_a_unit_feels_one_g_upwards_and_falling_it_feels_nothing(tumbling):
    acc, _ = read(tumbling, np.zeros((3, tumbling.shape[1])))
    assert np.linalg.norm(acc, axis=0) == pytest.approx(1.0, abs=1e-9)
    assert pytest.approx(scipy_of(tumbling).inv().apply([0, 0, 1]), abs=1e-9) == acc.T
    falling, _ = read(tumbling, np.array([[0.0], [0.0], [-9.80665]]) * np.ones(tumbling.shape[1]))
    assert abs(falling).max() < 1e-9


def test_without_acceleration_the_change_of_gravity_is_minus_omega_cross_gravity(tumbling):
    acc, gyr = read(tumbling, np.zeros((3, tumbling.shape[1])))
    seen, told = measures.rotation_agreement(np.concatenate([acc, gyr]).T, [slice(200, 1800)], 1 / DT, below=20.0)
    assert np.corrcoef(seen, told)[0, 1] > 0.999
    assert np.linalg.norm(seen - told) < 0.05 * np.linalg.norm(seen)


def test_a_swinging_arm_feels_what_a_circle_makes_it_feel():
    """An arm that turns at a steady rate about the shoulder: the wrist feels gravity and ω²r, nothing else."""
    subject = draw_subject(np.random.default_rng(0), "1", CLASSES)
    n, speed = 600, 3.0
    joints = np.zeros((len(JOINTS), n))
    joints[SHOULDER] = speed * np.arange(n) * DT
    still = np.zeros((3, n))
    (hand, at_hand), _, _ = track_segments(subject, Motion(joints, still, still, still, still, np.ones(n)))
    radius = subject.upper_arm + subject.forearm
    inner = slice(2, -2)
    assert np.linalg.norm(at_hand[:, inner], axis=0) == pytest.approx(speed**2 * radius, rel=0.01)
    towards_shoulder = rotation.long_axis(hand)[:, inner]
    along = (at_hand[:, inner] * towards_shoulder).sum(0)
    assert along == pytest.approx(speed**2 * radius, rel=0.01)


def test_joints_turn_the_segments_that_hang_on_them():
    subject = draw_subject(np.random.default_rng(0), "1", CLASSES)
    joints = np.zeros((len(JOINTS), 3))
    joints[ELBOW], joints[HIP], joints[LEAN] = np.pi / 2, np.pi / 2, 0.3
    still = np.zeros((3, 3))
    (hand, _), (trunk, _), (thigh, _) = track_segments(subject, Motion(joints, still, still, still, still, np.ones(3)))
    fingers, knee, head = -rotation.long_axis(hand), -rotation.long_axis(thigh), rotation.long_axis(trunk)
    assert knee[:, 0] == pytest.approx([1, 0, 0], abs=1e-6)  # seated, the thigh points forward
    assert head[:, 0] == pytest.approx([np.sin(0.3), 0, np.cos(0.3)], abs=1e-6)  # leaning forward
    assert fingers[:, 0] == pytest.approx([np.cos(0.3), 0, -np.sin(0.3)], abs=1e-6)  # forearm across the trunk


def test_poses_are_passed_at_rest_and_on_time():
    times = np.array([1.0, 2.0, 4.0])
    poses = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]])
    t = np.arange(0, 5, 0.001)
    path = pass_poses(t, times, poses)
    assert pytest.approx(poses, abs=1e-9) == path[:, [1000, 2000, 4000]].T
    speed = np.gradient(path, 0.001, axis=1)
    assert abs(speed[:, [1000, 2000, 4000]]).max() < 1e-3
    assert path[0, 1500] == pytest.approx(1.0)  # half-way at half-time
    assert speed[0].max() == pytest.approx(2.0 * 1.875, rel=1e-3)  # peak of minimum jerk: 15/8 of the mean


def test_a_stride_reaches_the_sway_and_the_rate_that_the_subject_was_given():
    random = np.random.default_rng(5)
    for name in LAWS:
        gait = draw_gait(random, name, vigour=0.0, tempo=0.0, arms=0.0)
        pelvis = make_strides(random, gait, 6000, DT)[:3]
        norm = np.linalg.norm(pelvis + np.array([[0.0], [0.0], [9.80665]]), axis=0) / 9.80665
        assert norm.std() == pytest.approx(gait.sway, rel=0.12)
        power = np.abs(np.fft.rfft(pelvis[2] * np.hanning(6000))) ** 2
        peak = np.fft.rfftfreq(6000, DT)[power.argmax()]
        assert min(abs(peak - 2 * gait.stride * k) for k in (1, 2)) < 0.12 * gait.stride


def test_remounting_turns_a_unit_by_5_to_15_degrees():
    random = np.random.default_rng(2)
    worn = draw_subject(random, "1", CLASSES).worn["wrist"]
    turned = np.stack([remount(random, worn) for _ in range(200)], axis=1)
    angles = np.degrees((scipy_of(worn[:, None]).inv() * scipy_of(turned)).magnitude())
    assert 5.0 <= angles.min() < 6.0
    assert 14.0 < angles.max() <= 15.0
