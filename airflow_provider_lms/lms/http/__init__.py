"""HTTP exchanges with an LMS: session, retries, tokens, rate limits, documents."""
