"""What a child runs first: `main` of the module that it is for, which is loaded without a look for garbage.

`daemon.children.child` starts it as ``python -m daemon.children.become MODULE FD PARENT``; that function begins with
`daemon.children.parent.meet`, by which all that it needs is loaded.
"""

from __future__ import annotations

import gc
import importlib
import sys

if __name__ == "__main__":
    gc.disable()
    del sys.argv[0]
    module = importlib.import_module(sys.argv[0])
    sys.argv[0] = str(module.__file__)
    module.main()
