"""Keras is imported without Matplotlib and scikit-learn, and has all its parts nevertheless."""

import subprocess
import sys

#: Parts of Keras are used in every way that Python has, after their import was put off.
PROCESS = """
import sys, stillmotion, keras
heavy = {"matplotlib", "sklearn", "scipy.stats", "requests"} & sys.modules.keys()
assert not heavy, heavy
assert not [name for name, module in sys.modules.items() if type(module).__name__ == "LateModule"]

assert "SKLearnClassifier" in dir(keras.wrappers)
assert "sklearn" in sys.modules
assert issubclass(keras.wrappers.SKLearnClassifier, sys.modules["sklearn"].base.ClassifierMixin)
from keras.visualization import plot_image_gallery
import keras.applications.mobilenet as mobilenet
assert keras.applications.MobileNet is mobilenet.MobileNet
assert keras.visualization.plot_image_gallery is plot_image_gallery
from keras._tf_keras import keras as copy
assert copy.layers.Dense is keras.layers.Dense
try:
    keras.visualization.nothing
except AttributeError:
    pass
else:
    raise AssertionError

callback = keras.callbacks.RemoteMonitor("http://nowhere.invalid", send_as_json=True)
monitor = sys.modules["keras.src.callbacks.remote_monitor"]
sent = []
import requests
requests.post = lambda *arguments, **options: sent.append(arguments)
callback.on_epoch_end(0, {"loss": 1.0})
assert sent == [("http://nowhere.invalid/publish/epoch/end/",)], sent
"""


def test_keras_comes_without_what_plots_and_wrappers_need_and_they_come_when_used():
    done = subprocess.run([sys.executable, "-W", "error", "-c", PROCESS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
