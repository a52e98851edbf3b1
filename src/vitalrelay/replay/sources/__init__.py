"""Where packets come from: files of packets, published ICU records, a ward that is made up."""
