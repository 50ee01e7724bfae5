"""Train a larger network, distil it into a light one, and score both on subjects neither has seen."""

import stillmotion as sm  # before keras: it chooses the backend
from stillmotion.evaluation import confusion_matrix, subject_interval
from stillmotion.training import Recipe

windows = sm.cut(sm.resample(sm.load("simulated", sensors="wrist.acc,wrist.gyr"), 25))
fold = sm.make_splits(windows, "subjects:4").folds[0]
train, choose, test = (windows.values(side) for side in (fold.train, fold.validation, fold.test))
y = windows.labels
chosen_by = (choose, y[fold.validation])

teacher = sm.networks.build_network("deepconvlstm-mm", windows.spec, seed=0)
student = sm.networks.build_network("deepconvlstm-lm", windows.spec, seed=0)
recipe = Recipe(epochs=12, patience=4)
sm.fit(teacher, train, y[fold.train], validation=chosen_by, recipe=recipe)
sm.fit(student, train, y[fold.train], validation=chosen_by, recipe=recipe, teacher=teacher)

for name, model in (("teacher", teacher), ("student", student)):
    guess = model.predict(test, verbose=0).argmax(1)
    subjects = windows.subject_codes[fold.test]
    tables = [
        confusion_matrix(y[fold.test][subjects == subject], guess[subjects == subject], len(windows.spec.classes))
        for subject in sorted(set(subjects))
    ]
    cost = sm.networks.network_cost(model)
    print(f"{name}: macro-F1 {subject_interval(tables)}, {cost.params:,} parameters, {cost.flops:,} FLOPs")
