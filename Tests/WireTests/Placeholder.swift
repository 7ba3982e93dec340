// Placeholder: this target is filled by its first file.
