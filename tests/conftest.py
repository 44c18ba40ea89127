"""Its being here lets every test import `cases`."""
