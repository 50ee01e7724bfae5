"""stillmotion: distillation for human activity recognition on devices."""

import os as _os
import sys as _sys

# Keras reads its backend once, at import; training needs JAX. A choice already made is left alone.
if "keras" not in _sys.modules:
    _os.environ.setdefault("KERAS_BACKEND", "jax")
