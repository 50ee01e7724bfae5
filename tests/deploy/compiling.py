"""Compile many generated models in one call of the compiler, and run them from Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np

from tests.conftest import unavailable

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off")
DRIVER = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
@INCLUDES@
struct model {
    const char *name;
    int window, channels, classes, integers;
    int (*push)(const float *);
    int (*predict)(const float *, float *);
    int (*predict_i16)(const int16_t *, int8_t *);
    void (*init)(void);
    void (*logits)(float *);
};
static const struct model models[] = {
@MODELS@
};
/* stdin: windows or samples; stdout: logits and classes. */
int main(int count, char **arguments)
{
    const struct model *m = models;
    int integers, stream, value = 0, size;
    void *x, *y = malloc(65536);
    (void)count;
    while (strcmp(m->name, arguments[1]))
        m++;
    integers = arguments[2][0] == 'i';
    stream = arguments[2][0] == 's';
    size = (stream ? 1 : m->window) * m->channels;
    x = malloc((size_t)size * 4);
    m->init();
    while (fread(x, integers ? 2 : 4, (size_t)size, stdin) == (size_t)size) {
        if (stream)
            value = m->push(x);
        else
            value = integers ? m->predict_i16(x, y) : m->predict(x, y);
        if (stream)
            m->logits(y);
        fwrite(y, integers ? 1 : 4, (size_t)m->classes, stdout);
        fwrite(&value, 4, 1, stdout);
    }
    free(x);
    free(y);
    return 0;
}
"""


class Compiled:
    """Programs compiled into one executable.

    Args:
        folder: where everything is written.
        models: C sources and headers by model: (name, integers, files).
        flags: more flags of the compiler.
    """

    def __init__(self, folder: Path, models, *flags: str) -> None:
        if shutil.which("gcc") is None:
            unavailable("gcc is not installed (apt-get install gcc)")
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for name, integers, files in models:
            for file, text in files.items():
                (folder / file).write_text(text)
            macro, raw = name.upper(), f"{name}_predict_i16" if integers else "0"
            rows.append(
                f'{{"{name}", {macro}_WINDOW, {macro}_CHANNELS, {macro}_CLASSES, {int(integers)}, {name}_push, '
                f"{name}_predict, {raw}, {name}_init, {name}_logits}},"
            )
        includes = "\n".join(f'#include "{name}.h"' for name, _, _ in models)
        (folder / "driver.c").write_text(DRIVER.replace("@INCLUDES@", includes).replace("@MODELS@", "\n".join(rows)))
        sources = [f"{name}.c" for name, _, _ in models]
        self.file = folder / "all"
        subprocess.run(["gcc", *STRICT, *flags, "-o", "all", "driver.c", *sources], cwd=folder, check=True)

    def predict(self, name: str, windows: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return logits and classes of windows: float32, or raw counts of 16 bits for logits of 8."""
        integers = windows.dtype == np.int16
        kind = np.int8 if integers else np.float32
        row = np.dtype([("logits", kind, (classes,)), ("class", np.int32)])
        out = np.frombuffer(self._run(name, "i" if integers else "f", windows), row)
        return out["logits"], out["class"]

    def push(self, name: str, samples: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return, for every sample, the logits that are known after it, and what ``push`` returns."""
        row = np.dtype([("logits", np.float32, (classes,)), ("class", np.int32)])
        out = np.frombuffer(self._run(name, "s", samples.astype(np.float32)), row)
        return out["logits"], out["class"]

    def _run(self, name: str, mode: str, values: np.ndarray) -> bytes:
        done = subprocess.run([self.file, name, mode], input=values.tobytes(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout
