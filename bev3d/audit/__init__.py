"""What a data set loses on its way into targets: counts by class, limits for CI, a page with the worst frames."""

from bev3d.audit._limits import Limits
from bev3d.audit._page import write_audit_page
from bev3d.audit._report import AuditReport, Finding
from bev3d.audit._run import audit_dataset

__all__ = ["AuditReport", "Finding", "Limits", "audit_dataset", "write_audit_page"]
