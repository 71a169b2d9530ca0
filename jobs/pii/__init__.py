"""`corpusgate pii`: personal information in files, without a job."""
