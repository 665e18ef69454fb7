"""Which convention boxes are in, and which known defects data and configurations show, with the evidence."""

from bev3d.doctor._candidates import Candidate, candidates_for, read_boxes
from bev3d.doctor._configuration import diagnose_settings
from bev3d.doctor._diagnose import diagnose
from bev3d.doctor._evidence import Reading
from bev3d.doctor._finding import Finding
from bev3d.doctor._read import dataset_frames, frames_from_files, known_boxes
from bev3d.doctor._report import Diagnosis
from bev3d.doctor._settings import Settings, read_settings, settings_of
from bev3d.doctor._votes import Frame, collect_votes
from bev3d.doctor._weigh import choose_reading

__all__ = [
    "Candidate",
    "Diagnosis",
    "Finding",
    "Frame",
    "Reading",
    "Settings",
    "candidates_for",
    "choose_reading",
    "collect_votes",
    "dataset_frames",
    "diagnose",
    "diagnose_settings",
    "frames_from_files",
    "known_boxes",
    "read_boxes",
    "read_settings",
    "settings_of",
]
