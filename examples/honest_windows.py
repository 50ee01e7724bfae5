"""Load recordings, cut them into windows, split by subject and audit the splits for leaks."""

import stillmotion as sm

recordings = sm.load("simulated", sensors="wrist.acc,wrist.gyr")
windows = sm.cut(recordings)
splits = sm.make_splits(windows, "subjects:4")
statistics = [sm.fit_statistics(windows, fold.train) for fold in splits.folds]
audit = sm.audit_splits(windows, splits, statistics=statistics)
print(audit)
assert audit.clean

fold = splits.folds[0]
x, y = windows.values(fold.train), windows.labels[fold.train]
print(f"{len(x)} training windows of {len(fold.train_subjects)} subjects: {x.shape}; tested on {fold.test_subjects}")
