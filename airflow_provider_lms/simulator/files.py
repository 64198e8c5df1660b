"""The host of the files that a simulated LMS names: certificates as PDFs."""

from __future__ import annotations

import re

from airflow_provider_lms.simulator.exchange import Reply, Request
from airflow_provider_lms.simulator.vendor import Host

PDF = "application/pdf"
_CERTIFICATE = re.compile(r"GET (/certificates/([0-9a-f-]{36})\.pdf)")


class Files(Host):
    """Serves a PDF for each certificate's id, to everybody who knows its address."""

    def _serves(self, request: Request) -> bool:
        return _CERTIFICATE.fullmatch(request.call) is not None

    def _answer(self, request: Request) -> Reply:
        certificate_id = request.call.rpartition("/")[2].removesuffix(".pdf")
        return Reply(media_type=PDF, raw=certificate_pdf(certificate_id))


def certificate_path(certificate_id: str) -> str:
    """The path of a certificate's file."""
    return f"/certificates/{certificate_id}.pdf"


def certificate_pdf(certificate_id: str) -> bytes:
    """A page that names the certificate."""
    text = f"BT /F1 12 Tf 40 100 Td (Certificate {certificate_id}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 200] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    file, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return file + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(file))
    )
