"""What is wrong with a data set: likely label errors, duplicates, leaks, outliers, unreadable texts."""
