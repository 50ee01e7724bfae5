"""Recordings in, leak-free windows out: load, cut, split by subject, prove it."""

import stillmotion as sm

subjects = sm.load("simulated", sensors="wrist.acc,wrist.gyr")
windows = sm.cut(subjects)
splits = sm.make_splits(windows, "subjects:4")
statistics = [sm.fit_statistics(windows, fold.train) for fold in splits.folds]
audit = sm.audit_splits(windows, splits, statistics=statistics)
print(audit)
assert audit.clean

fold = splits.folds[0]
x, y = windows.values(fold.train), windows.labels[fold.train]
print(f"{len(x)} training windows of {len(fold.train_subjects)} subjects: {x.shape}; tested on {fold.test_subjects}")
