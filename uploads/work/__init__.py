"""Work: submit, plan, claim, run, commit, sweep; the durable job layer."""
