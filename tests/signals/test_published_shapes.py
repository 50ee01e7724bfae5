"""Windows of the three sets that the published systems run on have their published shapes."""

import pytest

from stillmotion.signals import load, resample
from stillmotion.windows import cut
from tests.publishers.write_opportunity import write_opportunity
from tests.publishers.write_shoaib import write_shoaib
from tests.publishers.write_wisdm import write_wisdm

WRITERS = {"wisdm": write_wisdm, "opportunity": write_opportunity, "sensors": write_shoaib}


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
@pytest.mark.parametrize(
    ("name", "shape", "classes"), [("wisdm", (20, 3), 6), ("opportunity", (30, 45), 17), ("sensors", (50, 45), 7)]
)
def test_windows_from_original_bytes_have_the_published_shape(tmp_path, name, shape, classes):
    folder = tmp_path / ("shoaib" if name == "sensors" else name)
    WRITERS[name](folder, subjects=2, minutes=6.0)
    data = load(name, data=tmp_path)
    windows = cut(resample(data, data.spec.rate))
    assert windows.values().shape[1:] == shape
    assert len(windows.spec.classes) == classes
    assert windows.spec.label_policy == "first"
    assert len(set(windows.labels.tolist())) >= classes - 4
