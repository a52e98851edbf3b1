"""Our own processes and the servers under them: started in order, kept, stopped in order."""
