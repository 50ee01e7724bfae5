"""``python -m stillmotion`` is the ``still`` command."""

from .cli import main

raise SystemExit(main())
