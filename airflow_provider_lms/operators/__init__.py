"""Operators that read an LMS and deliver records to XCom or to object storage."""
