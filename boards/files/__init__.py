"""The files of versions: stored content, uploads and downloads."""
