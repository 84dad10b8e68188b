"""The commands of weather, a file for each subject."""
