"""Cut, label, split by person, audit for leaks."""
