"""Train a teacher, distil it into a light student, and score both on test subjects."""

import stillmotion as sm  # before keras: it chooses the backend
from stillmotion.evaluation import confusion_matrix, subject_interval
from stillmotion.training import Recipe

windows = sm.cut(sm.resample(sm.load("simulated", sensors="wrist.acc,wrist.gyr"), 25))
fold = sm.make_splits(windows, "subjects:4").folds[0]
train, validation, test = (windows.values(rows) for rows in (fold.train, fold.validation, fold.test))
y = windows.labels
held_out = (validation, y[fold.validation])

teacher = sm.networks.build_network("deepconvlstm-mm", windows.spec, seed=0)
student = sm.networks.build_network("deepconvlstm-lm", windows.spec, seed=0)
recipe = Recipe(epochs=12, patience=4)
sm.fit(teacher, train, y[fold.train], validation=held_out, recipe=recipe)
sm.fit(student, train, y[fold.train], validation=held_out, recipe=recipe, teacher=teacher)

for name, model in (("teacher", teacher), ("student", student)):
    predicted = model.predict(test, verbose=0).argmax(1)
    subjects = windows.subject_codes[fold.test]
    matrices = [
        confusion_matrix(y[fold.test][subjects == subject], predicted[subjects == subject], len(windows.spec.classes))
        for subject in sorted(set(subjects))
    ]
    cost = sm.networks.network_cost(model)
    print(f"{name}: macro-F1 {subject_interval(matrices)}, {cost.params:,} parameters, {cost.flops:,} FLOPs")
