"""Distillation: a student's vectors of texts towards a teacher's."""
