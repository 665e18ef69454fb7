"""Which convention boxes are in, and which known defect data and configurations show."""
