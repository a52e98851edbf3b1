"""What the doctor finds, server by server; each finding says what to do about it."""
