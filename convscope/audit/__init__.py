"""What is wrong with data, judged with a classifier's help: doubtful labels, classes that look alike."""
