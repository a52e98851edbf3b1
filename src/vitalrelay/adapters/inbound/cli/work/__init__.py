"""What the commands do. Imported only by the command that is called."""
