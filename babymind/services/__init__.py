"""The path, one module a step: enrol, plan, deliver, receive, triage, review, comment, export."""
