"""The real autoscalers beside their rules: the same question, asked of the original programs."""
