"""``python -m optiq.cli`` is the ``optiq`` command."""

from optiq.cli.app import main

raise SystemExit(main())
